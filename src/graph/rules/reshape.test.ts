import { expect, test } from "vitest";
import { int } from "../attributes.ts";
import { trace } from "../builder.ts";
import { gradients } from "../gradients.ts";
import { interpret } from "../interpret.ts";
import { mul, tanh } from "../ops/elementwise.ts";
import { concat, expand, reshape, split, swapLast, transpose } from "../ops/reshape.ts";
import { reduceSum } from "../ops/reduce.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const withAxes = (op: string, x: Value, axes: number[]): Value =>
  x.builder.apply(op, [x, x.builder.literal(axes, "int64")])[0];

gradientSuite([
  { name: "reshape", inputs: { x: [2, 6] }, network: ({ x }) => tanh(reshape(x, [3, -1])) },
  {
    name: "a reshape that keeps a dimension by 0",
    inputs: { x: [2, 3, 2] },
    network: ({ x }) => x.builder.apply("Reshape", [tanh(x), x.builder.literal([0, -1], "int64")])[0],
  },
  {
    name: "flatten",
    inputs: { x: [2, 3, 2] },
    network: ({ x }) => x.builder.apply("Flatten", [tanh(x)], { attributes: { axis: int(-1) } })[0],
  },
  { name: "squeeze", inputs: { x: [2, 1, 3, 1] }, network: ({ x }) => withAxes("Squeeze", tanh(x), [-1]) },
  {
    name: "squeeze of all",
    inputs: { x: [1, 3, 1] },
    network: ({ x }) => x.builder.apply("Squeeze", [tanh(x)])[0],
  },
  { name: "unsqueeze", inputs: { x: [2, 3] }, network: ({ x }) => withAxes("Unsqueeze", tanh(x), [0, -2]) },
  { name: "transpose", inputs: { x: [2, 3, 4] }, network: ({ x }) => tanh(transpose(x, [2, 0, 1])) },
  {
    name: "a transpose without an order",
    inputs: { x: [2, 3, 4] },
    network: ({ x }) => x.builder.apply("Transpose", [tanh(x)])[0],
  },
  { name: "swapLast", inputs: { x: [2, 3, 4] }, network: ({ x }) => mul(swapLast(x), 2) },
  { name: "expand", inputs: { x: [3, 1] }, network: ({ x }) => tanh(expand(x, [2, 3, 4])) },
  {
    name: "concat along the last axis",
    inputs: { a: [2, 3], b: [2, 1], c: [2, 2] },
    network: ({ a, b, c }) => tanh(concat([a, b, c, a], -1)),
  },
  {
    name: "concat along the first axis",
    inputs: { a: [2, 3], b: [1, 3] },
    network: ({ a, b }) => tanh(concat([a, b], 0)),
  },
  {
    name: "split",
    inputs: { x: [2, 6, 2] },
    network: ({ x }) => {
      const [a, b, c] = split(tanh(x), 1, [2, 2, 2]);
      return mul(mul(a, b), c);
    },
  },
  {
    name: "a split with a part that nothing reads",
    inputs: { x: [5] },
    network: ({ x }) => {
      const parts = split(tanh(x), 0, [1, 2, 2]);
      return mul(parts[0], parts[2]);
    },
  },
]);

test("a reshape of a reshape and a transpose of a transpose are one node", () => {
  const graph = trace({ x: { shape: [2, 3, 4] } }, ({ x }) => ({
    y: transpose(transpose(reshape(reshape(x, [6, 4]), [4, 3, 2]), [1, 2, 0]), [1, 2, 0]),
  }));
  expect(graph.nodes.map(({ op }) => op)).toEqual(["Reshape", "Transpose", "Identity"]);
  const x = { data: Array.from({ length: 24 }, (_, i) => i), shape: [2, 3, 4] };
  // [1, 2, 0] twice is [2, 0, 1]: y[a, b, c] = r[b, c, a], r of shape [4, 3, 2].
  const want = [0, 1].flatMap((a) => [0, 1, 2, 3].flatMap((b) => [0, 1, 2].map((c) => b * 6 + c * 2 + a)));
  expect(interpret(graph, { x }).y.data).toBeAllClose(want, {});
});

test("what only one part of a split needs has no gradient in the others", () => {
  const graph = trace({ x: { dtype: "float64", shape: [4] } }, ({ x }) => ({
    slope: gradients(reduceSum(split(x, 0, [1, 3])[0], [0]), [x])[0],
  }));
  expect(interpret(graph, { x: { data: [1, 2, 3, 4], shape: [4] } }).slope.data).toBeAllClose(
    [1, 0, 0, 0],
    {},
  );
});

test.each([
  ["reshape", (x: Value) => reshape(x, [4, 2]), "[2, 3] cannot be reshaped to [4, 2]"],
  ["expand", (x: Value) => expand(x, [4, 3]), "shapes [2, 3] and [4, 3] do not broadcast"],
  ["concat", (x: Value) => concat([x, reshape(x, [3, 2])], 0), "cannot be joined along axis 0"],
  ["split", (x: Value) => split(x, 1, [1, 1])[0], "pieces [1, 1] do not add up to 3"],
  ["an axis beyond the rank", (x: Value) => concat([x, x], 2), "a tensor of rank 2 has no axis 2"],
])("a wrong %s is an error with the shapes in it", (_, network, message) => {
  expect(() => trace({ x: { shape: [2, 3] } }, ({ x }) => ({ y: network(x) }))).toThrow(message);
});
