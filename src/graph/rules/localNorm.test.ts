import { expect, test } from "vitest";
import { float, int } from "../attributes.ts";
import { trace } from "../builder.ts";
import type { Attribute } from "../graph.ts";
import { gradients } from "../gradients.ts";
import { interpret } from "../interpret.ts";
import { mul } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const normed =
  (op: string, attributes: Readonly<Record<string, Attribute>>) =>
  ({ x }: Record<string, Value>): Value =>
    x.builder.apply(op, [x], { attributes })[0];

gradientSuite([
  {
    name: "local response over an odd number of channels",
    inputs: { x: [2, 4, 1, 2] },
    network: normed("LRN", { size: int(3), alpha: float(0.5), beta: float(0.7), bias: float(1.5) }),
  },
  {
    name: "local response over more channels than there are on one side",
    inputs: { x: [1, 4, 2, 1] },
    network: normed("LRN", { size: int(5), alpha: float(2) }),
  },
  {
    name: "x by its 2-norm",
    inputs: { x: [2, 3] },
    network: normed("LpNormalization", {}),
  },
  {
    name: "x by its 1-norm along the middle axis",
    inputs: { x: [2, 3, 2] },
    network: ({ x }) => mul(normed("LpNormalization", { p: int(1), axis: int(1) })({ x }), x),
  },
]);

test("local response sees one channel fewer in front of an even window than behind", () => {
  const graph = trace({ x: { shape: [1, 3, 1] } }, ({ x }) => {
    const y = normed("LRN", { size: int(2), alpha: float(2), beta: float(1), bias: float(0) })({ x });
    return { y, dx: gradients(y, [x])[0] };
  });
  const { y, dx } = interpret(graph, { x: { data: [1, 2, 4], shape: [1, 3, 1] } });
  // y0 = x0 / (x0^2 + x1^2), y1 = x1 / (x1^2 + x2^2), y2 = 1 / x2
  expect(y.data).toBeAllClose([1 / 5, 2 / 20, 4 / 16], { abs: 1e-14 });
  expect(dx.data).toBeAllClose([3 / 25, -4 / 25 + 12 / 400, -16 / 400 - 1 / 16], { abs: 1e-14 });
});

test("where the norm is 0, x by its norm is 0 and its gradient a number", () => {
  for (const p of [1, 2]) {
    const graph = trace({ x: { shape: [2, 2] } }, ({ x }) => {
      const y = normed("LpNormalization", { p: int(p) })({ x });
      return { y, dx: gradients(y, [x])[0] };
    });
    const { y, dx } = interpret(graph, { x: { data: [0, 0, 0, 3], shape: [2, 2] } });
    expect(y.data).toBeAllClose([0, 0, 0, 1], { abs: 0 });
    expect(Array.from(dx.data, Number).every(Number.isFinite)).toBe(true);
  }
});

test("norms that are none, and windows of no channel, are errors that name the node", () => {
  const make = (op: string, attributes: Readonly<Record<string, Attribute>>) => () =>
    trace({ x: { shape: [1, 2, 3] } }, (inputs, builder) =>
      builder.scope("head", () => ({ y: normed(op, attributes)(inputs) })),
    );
  expect(make("LpNormalization", { p: int(3) })).toThrow(
    'no norm 3, only 1 and 2, at node "head/LpNormalization"',
  );
  expect(make("LRN", {})).toThrow('LRN over 0 channels of [1, 2, 3] at node "head/LRN"');
});
