import { expect, test } from "vitest";
import { trace } from "../builder.ts";
import { interpret } from "../interpret.ts";
import { tanh } from "../ops/elementwise.ts";
import { flip, pad, slice } from "../ops/indexing.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const sliceBy = (x: Value, ...bounds: number[][]): Value =>
  x.builder.apply("Slice", [x, ...bounds.map((list) => x.builder.literal(list, "int64"))])[0];

gradientSuite([
  {
    name: "slice",
    inputs: { x: [3, 5] },
    network: ({ x }) => tanh(slice(x, [{ axis: 1, start: 1, end: 4 }])),
  },
  {
    name: "a slice with steps on two axes",
    inputs: { x: [5, 7] },
    network: ({ x }) =>
      tanh(
        slice(x, [
          { axis: 0, start: 1, end: 5, step: 2 },
          { axis: 1, start: 0, end: 6, step: 3 },
        ]),
      ),
  },
  {
    name: "a slice read backwards in steps of 2",
    inputs: { x: [6, 2] },
    network: ({ x }) => tanh(slice(x, [{ axis: 0, start: 4, end: -100, step: -2 }])),
  },
  {
    name: "a slice with negative bounds",
    inputs: { x: [2, 6] },
    network: ({ x }) => tanh(sliceBy(x, [-4], [-1], [-1])),
  },
  {
    name: "a slice of one element backwards",
    inputs: { x: [4] },
    network: ({ x }) => tanh(sliceBy(x, [1], [0], [0], [-3])),
  },
  {
    name: "a slice to the largest integer, with axes left out",
    inputs: { x: [3, 4] },
    network: ({ x }) => tanh(sliceBy(x, [1, 2], [2 ** 63, 2 ** 63])),
  },
  { name: "flip", inputs: { x: [2, 3, 2] }, network: ({ x }) => tanh(flip(x, [1, 2])) },
  { name: "pad", inputs: { x: [2, 3] }, network: ({ x }) => tanh(pad(x, [1, 0, 2, 1])) },
  { name: "a pad that cuts", inputs: { x: [4, 3] }, network: ({ x }) => tanh(pad(x, [-1, 1, 0, -2])) },
]);

test("a pad of named axes fills in a given value", () => {
  const graph = trace({ x: { shape: [2, 2] } }, ({ x }, builder) => {
    const widths = builder.literal([1, 0], "int64");
    const axes = builder.literal([-1], "int64");
    return { y: builder.apply("Pad", [x, widths, builder.literal(9), axes])[0] };
  });
  expect(interpret(graph, { x: { data: [1, 2, 3, 4], shape: [2, 2] } }).y.data).toBeAllClose(
    [9, 1, 2, 9, 3, 4],
    {},
  );
});
