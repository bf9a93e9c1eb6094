import { expect, test } from "vitest";
import { ints } from "../attributes.ts";
import { trace } from "../builder.ts";
import { conv2d, convolve } from "../ops/conv.ts";
import { tanh } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

interface TransposeOptions {
  readonly strides?: readonly number[];
  readonly pads?: readonly number[];
  readonly outputPadding?: readonly number[];
}

function convTranspose(x: Value, weight: Value, bias: Value | null, options: TransposeOptions = {}): Value {
  const { strides = [1, 1], pads = [0, 0, 0, 0], outputPadding = [0, 0] } = options;
  return x.builder.apply("ConvTranspose", bias ? [x, weight, bias] : [x, weight], {
    attributes: { strides: ints(strides), pads: ints(pads), output_padding: ints(outputPadding) },
  })[0];
}

gradientSuite([
  {
    name: "a 3 x 3 convolution that keeps the size, with a bias",
    inputs: { x: [2, 2, 4, 3], w: [3, 2, 3, 3], b: [3] },
    network: ({ x, w, b }) => conv2d(x, w, { padding: 1, bias: b }),
  },
  {
    name: "a convolution with another pad on every side and stride 1",
    inputs: { x: [1, 2, 4, 3], w: [2, 2, 3, 2] },
    network: ({ x, w }) => convolve(x, w, null, [1, 1], [0, 1, 2, 0]),
  },
  {
    name: "a 1 x 1 convolution into a nonlinearity",
    inputs: { x: [2, 3, 2, 2], w: [2, 3, 1, 1] },
    network: ({ x, w }) => tanh(conv2d(x, w)),
  },
  {
    name: "a convolution with stride 2 of an even size",
    inputs: { x: [1, 2, 6, 4], w: [2, 2, 3, 3] },
    network: ({ x, w }) => conv2d(x, w, { stride: 2, padding: 1 }),
  },
  {
    name: "a convolution with stride 2 of an odd size, without padding",
    inputs: { x: [2, 1, 5, 6], w: [2, 1, 2, 3] },
    network: ({ x, w }) => conv2d(x, w, { stride: 2 }),
  },
  {
    name: "a convolution with other strides and pads on every side",
    inputs: { x: [1, 2, 5, 4], w: [2, 2, 3, 2] },
    network: ({ x, w }) => convolve(x, w, null, [2, 1], [1, 0, 2, 1]),
  },
  {
    name: "a 1 x 1 convolution with pads beyond the kernel",
    inputs: { x: [1, 2, 2, 3], w: [2, 2, 1, 1] },
    network: ({ x, w }) => conv2d(x, w, { padding: 1 }),
  },
  {
    name: "a transposed convolution with a bias",
    inputs: { x: [2, 2, 3, 2], w: [2, 3, 2, 3], b: [3] },
    network: ({ x, w, b }) => convTranspose(x, w, b),
  },
  {
    name: "a transposed convolution with strides, pads and output padding",
    inputs: { x: [1, 2, 3, 2], w: [2, 2, 3, 3] },
    network: ({ x, w }) =>
      tanh(convTranspose(x, w, null, { strides: [2, 2], pads: [1, 1, 1, 1], outputPadding: [1, 1] })),
  },
  {
    name: "a transposed convolution with output padding beyond its pads",
    inputs: { x: [1, 1, 2, 3], w: [1, 2, 2, 3] },
    network: ({ x, w }) => convTranspose(x, w, null, { strides: [2, 3], outputPadding: [1, 2] }),
  },
]);

test("a convolution with the wrong number of channels is an error that names the node", () => {
  const wrong = () =>
    trace({ x: { shape: [1, 2, 4, 4] }, w: { shape: [3, 1, 3, 3] } }, ({ x, w }, builder) =>
      builder.scope("in", () => ({ y: conv2d(x, w) })),
    );
  expect(wrong).toThrow('Conv of [1, 2, 4, 4] by weights [3, 1, 3, 3] at node "in/Conv"');
});
