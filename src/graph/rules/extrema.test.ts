import { expect, test } from "vitest";
import { trace } from "../builder.ts";
import { gradients } from "../gradients.ts";
import { interpret } from "../interpret.ts";
import { mul, tanh } from "../ops/elementwise.ts";
import { reduceSum } from "../ops/reduce.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const apply = (op: string, ...inputs: (Value | null)[]): Value => inputs[0]!.builder.apply(op, inputs)[0];

const three = { a: { shape: [2, 3] }, b: { shape: [3] }, c: { shape: [4, 1, 1] } };
const x = { shape: [7], data: [-1.7, -0.6, -0.4, 0, 0.3, 0.9, 2] };
const low = { shape: [], data: [-0.5] };
const high = { shape: [], data: [0.75] };

gradientSuite([
  ...["Max", "Min", "Sum", "Mean"].flatMap((op) => [
    {
      name: `${op} of three, broadcast`,
      inputs: three,
      network: ({ a, b, c }: Record<string, Value>) => apply(op, mul(a, a), mul(b, b), tanh(c)),
    },
    {
      name: `${op} of one`,
      inputs: { a: [3] },
      network: ({ a }: Record<string, Value>) => tanh(apply(op, a)),
    },
  ]),
  {
    name: "Clip between inputs",
    inputs: { x, low, high },
    network: ({ x, low, high }) => tanh(apply("Clip", x, low, high)),
  },
  { name: "Clip from below", inputs: { x, low }, network: ({ x, low }) => apply("Clip", tanh(x), low) },
  {
    name: "Clip from above",
    inputs: { x, high },
    network: ({ x, high }) => apply("Clip", tanh(x), null, high),
  },
  { name: "Clip without bounds", inputs: { x }, network: ({ x }) => tanh(apply("Clip", x)) },
  {
    name: "Clip with its bounds the wrong way round",
    inputs: { x, low: { shape: [], data: [0.5] }, high: { shape: [], data: [-0.25] } },
    network: ({ x, low, high }) => tanh(apply("Clip", x, low, high)),
  },
]);

/** The slopes of the sum of network(inputs), one list an input. */
function slopesOf(network: (values: Record<string, Value>) => Value, inputs: Record<string, number[]>) {
  const names = Object.keys(inputs);
  const types = Object.fromEntries(names.map((name) => [name, { shape: [inputs[name].length] }]));
  const graph = trace(types, (values: Record<string, Value>) => {
    const slopes = gradients(
      reduceSum(network(values), [0]),
      names.map((name) => values[name]),
    );
    return Object.fromEntries(names.map((name, i) => [`d${name}`, slopes[i]]));
  });
  const given = Object.fromEntries(
    names.map((name) => [name, { data: inputs[name], shape: [inputs[name].length] }]),
  );
  const found = interpret(graph, given);
  return names.map((name) => Array.from(found[`d${name}`].data as Float64Array));
}

test("ties share the gradient of a maximum equally", () => {
  const [a, b, c] = slopesOf(({ a, b, c }) => apply("Max", a, b, c), {
    a: [1, 2, 3],
    b: [1, 5, 3],
    c: [1, 0, 0],
  });
  expect(a).toBeAllClose([1 / 3, 0, 1 / 2], {});
  expect(b).toBeAllClose([1 / 3, 1, 1 / 2], {});
  expect(c).toBeAllClose([1 / 3, 0, 0], {});
});

test("a value exactly at a bound keeps its gradient", () => {
  const [slope] = slopesOf(({ x }) => apply("Clip", x, x.builder.literal(-0.5), x.builder.literal(0.75)), {
    x: [-1, -0.5, 0, 0.75, 2],
  });
  expect(slope).toBeAllClose([0, 1, 1, 1, 0], {});
});

test("bounds of more than one number are an error that names the node", () => {
  const wrong = () =>
    trace({ x: { shape: [3] } }, ({ x }, builder) => ({
      y: builder.apply("Clip", [x, builder.literal([1, 2, 3])], { name: "cut" })[0],
    }));
  expect(wrong).toThrow('a bound of shape [3], wanted one number, at node "cut"');
});
