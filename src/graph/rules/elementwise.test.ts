import { expect, test } from "vitest";
import { interpret } from "../interpret.ts";
import { trace } from "../builder.ts";
import {
  abs,
  add,
  cos,
  div,
  erf,
  exp,
  log,
  mul,
  neg,
  pow,
  reciprocal,
  relu,
  sigmoid,
  silu,
  sin,
  softplus,
  sqrt,
  square,
  sub,
  tanh,
} from "../ops/elementwise.ts";
import { float, int } from "../attributes.ts";
import type { Value } from "../value.ts";
import { type GradientCase, gradientSuite } from "./gradients.cases.ts";

const onPlane =
  (f: (x: Value) => Value, range: { from?: number; to?: number } = {}) =>
  (name: string): GradientCase => ({
    name,
    inputs: { x: { shape: [2, 5], ...range } },
    network: ({ x }) => f(x),
  });
const positive = { from: 0.3, to: 3 };
/** On both sides of 0, and never closer to it than a central difference reaches. */
const offZero = { shape: [6], data: [-1.7, -0.4, -0.01, 0.02, 0.6, 1.3] };

const unary: Record<string, (name: string) => GradientCase> = {
  neg: onPlane(neg),
  exp: onPlane(exp),
  log: onPlane(log, positive),
  sqrt: onPlane(sqrt, positive),
  reciprocal: onPlane(reciprocal, positive),
  sin: onPlane(sin),
  cos: onPlane(cos),
  tanh: onPlane(tanh),
  sigmoid: onPlane(sigmoid),
  softplus: onPlane(softplus),
  square: onPlane(square),
  erf: onPlane(erf),
  silu: onPlane(silu),
  "QuickGelu with its own alpha": onPlane(
    (x) =>
      x.builder.apply("QuickGelu", [x], { domain: "com.microsoft", attributes: { alpha: float(1.702) } })[0],
  ),
  "QuickGelu with alpha 1": onPlane(
    (x) => x.builder.apply("QuickGelu", [x], { domain: "com.microsoft", attributes: { alpha: float(1) } })[0],
  ),
  "x to the third": onPlane((x) => pow(x, 3)),
  "x to the power -0.5": onPlane((x) => pow(x, -0.5), positive),
  "2 to the power x": onPlane((x) => pow(x.builder.literal(2, x.dtype), x)),
};

const binary: Record<string, [(a: Value, b: Value) => Value, { from?: number; to?: number }?]> = {
  add: [add],
  sub: [sub],
  mul: [mul],
  div: [div, positive],
  pow: [pow, positive],
};
const pairs: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], []],
  [[3], [2, 1]],
  [
    [2, 1, 3],
    [4, 1],
  ],
];

gradientSuite([
  ...Object.entries(unary).map(([name, make]) => make(name)),
  ...Object.entries(binary).flatMap(([name, [f, range]]) =>
    pairs.map(([a, b]) => ({
      name: `${name} of [${a.join(", ")}] and [${b.join(", ")}]`,
      inputs: { a: { shape: a, ...range }, b: { shape: b, ...range } },
      network: ({ a, b }: Record<string, Value>) => f(a, b),
    })),
  ),
  { name: "abs", inputs: { x: offZero }, network: ({ x }) => abs(x) },
  { name: "relu", inputs: { x: offZero }, network: ({ x }) => relu(x) },
  {
    name: "the remainder of a division",
    inputs: { a: { shape: [4], data: [5.3, -4.1, 2.2, 7.5] }, b: { shape: [4], data: [2, 1.5, 3, -2.2] } },
    network: ({ a, b }) => a.builder.apply("Mod", [mul(a, a), b], { attributes: { fmod: int(1) } })[0],
  },
  {
    name: "rounding passes no gradient",
    inputs: { x: offZero },
    network: ({ x }) =>
      ["Round", "Floor", "Ceil", "Sign"].reduce(
        (y, op) => add(y, mul(x, x.builder.apply(op, [x])[0])),
        square(x),
      ),
  },
  {
    name: "powers of which one is 0",
    inputs: { x: { shape: [3], ...positive } },
    network: ({ x }) => pow(x, x.builder.literal([0, 2, 3], x.dtype)),
  },
  {
    name: "a value used twice",
    inputs: { x: [4] },
    network: ({ x }) => add(mul(x, sin(x)), div(exp(x), add(square(x), 1))),
  },
]);

test("x squared by Pow has its derivatives at 0: 0, 2 and 0", async () => {
  const { gradients } = await import("../gradients.ts");
  const graph = trace({ x: { dtype: "float64", shape: [1] } }, ({ x }) => {
    const [first] = gradients(pow(x, 2), [x]);
    const [second] = gradients(first, [x]);
    const [third] = gradients(second, [x]);
    return { first, second, third };
  });
  const { first, second, third } = interpret(graph, { x: { data: [0], shape: [1] } });
  expect([first.data[0], second.data[0], third.data[0]]).toEqual([0, 2, 0]);
});
