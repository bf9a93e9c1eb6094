import { tanh } from "../ops/elementwise.ts";
import { flip, slice } from "../ops/indexing.ts";
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
]);
