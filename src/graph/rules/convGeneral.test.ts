import { expect, test } from "vitest";
import { int, ints, string } from "../attributes.ts";
import { trace } from "../builder.ts";
import type { Attribute } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { tanh } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

type Attributes = Readonly<Record<string, Attribute>>;
type Inputs = Record<string, Value>;

const conv =
  (attributes: Attributes, op = "Conv") =>
  ({ x, w, b }: Inputs): Value =>
    x.builder.apply(op, [x, w, ...(b ? [b] : [])], { attributes })[0];
const transposed = (attributes: Attributes) => conv(attributes, "ConvTranspose");

gradientSuite([
  {
    name: "a convolution in two groups with a bias",
    inputs: { x: [2, 4, 4, 3], w: [6, 2, 3, 3], b: [6] },
    network: conv({ group: int(2), pads: ints([1, 1, 1, 1]) }),
  },
  {
    name: "a depthwise convolution into a nonlinearity",
    inputs: { x: [2, 3, 4, 4], w: [3, 1, 3, 3] },
    network: (inputs) => tanh(conv({ group: int(3), pads: ints([1, 1, 1, 1]) })(inputs)),
  },
  {
    name: "a depthwise convolution with two filters a channel and stride 2",
    inputs: { x: [1, 2, 5, 4], w: [4, 1, 3, 2] },
    network: conv({ group: int(2), strides: ints([2, 2]), pads: ints([1, 0, 0, 1]) }),
  },
  {
    name: "a dilated convolution that keeps the size",
    inputs: { x: [1, 2, 5, 5], w: [2, 2, 3, 3] },
    network: conv({ dilations: ints([2, 2]), pads: ints([2, 2, 2, 2]) }),
  },
  {
    name: "a convolution with other dilations, strides and pads along each axis",
    inputs: { x: [1, 2, 7, 6], w: [2, 2, 2, 3] },
    network: conv({ dilations: ints([3, 1]), strides: ints([1, 2]), pads: ints([1, 0, 2, 1]) }),
  },
  {
    name: "a convolution along one axis",
    inputs: { x: [2, 2, 7], w: [3, 2, 3], b: [3] },
    network: conv({ strides: ints([2]), pads: ints([1, 0]) }),
  },
  {
    name: "a convolution along three axes",
    inputs: { x: [1, 2, 3, 4, 3], w: [2, 2, 2, 2, 3] },
    network: conv({ pads: ints([1, 0, 1, 0, 0, 1]) }),
  },
  {
    name: "a convolution with pads chosen, the larger half behind",
    inputs: { x: [1, 1, 5, 6], w: [2, 1, 2, 3] },
    network: conv({ auto_pad: string("SAME_UPPER"), strides: ints([1, 2]) }),
  },
  {
    name: "a convolution with pads chosen, the larger half in front",
    inputs: { x: [1, 1, 5, 6], w: [2, 1, 2, 3] },
    network: conv({ auto_pad: string("SAME_LOWER"), strides: ints([1, 2]) }),
  },
  {
    name: "a convolution without pads by name",
    inputs: { x: [1, 1, 4, 5], w: [2, 1, 2, 3] },
    network: conv({ auto_pad: string("VALID") }),
  },
  {
    name: "a transposed convolution in two groups with a bias",
    inputs: { x: [2, 4, 3, 2], w: [4, 3, 2, 3], b: [6] },
    network: transposed({ group: int(2), strides: ints([2, 1]), pads: ints([0, 1, 1, 0]) }),
  },
  {
    name: "a dilated transposed convolution with output padding",
    inputs: { x: [1, 2, 3, 2], w: [2, 2, 2, 2] },
    network: (inputs) =>
      tanh(
        transposed({ dilations: ints([2, 1]), strides: ints([2, 2]), output_padding: ints([1, 1]) })(inputs),
      ),
  },
  {
    name: "a transposed convolution of a given output size",
    inputs: { x: [1, 2, 3, 3], w: [2, 1, 3, 3] },
    network: transposed({ strides: ints([2, 2]), output_shape: ints([6, 5]) }),
  },
  {
    name: "a transposed convolution that multiplies sizes by the strides",
    inputs: { x: [1, 1, 2, 3], w: [1, 1, 3, 2] },
    network: transposed({ strides: ints([2, 1]), auto_pad: string("SAME_UPPER") }),
  },
  {
    name: "a transposed convolution along three axes",
    inputs: { x: [1, 2, 2, 2, 1], w: [2, 1, 2, 1, 2] },
    network: transposed({ strides: ints([2, 1, 1]) }),
  },
]);

test("a depthwise convolution is one convolution a channel", () => {
  const graph = trace({ x: { shape: [1, 2, 4] }, w: { shape: [2, 1, 2] } }, ({ x, w }, builder) => ({
    y: builder.apply("Conv", [x, w], { attributes: { group: int(2) } })[0],
  }));
  const { y } = interpret(graph, {
    x: { data: [1, 2, 4, 8, 1, 1, 0, 5], shape: [1, 2, 4] },
    w: { data: [1, 10, 1, -1], shape: [2, 1, 2] },
  });
  expect(y.data).toBeAllClose([21, 42, 84, 0, 1, -5], { abs: 0 });
});

const make = (op: string, x: number[], w: number[], attributes: Attributes) => () =>
  trace({ x: { shape: x }, w: { shape: w } }, (values, builder) =>
    builder.scope("in", () => ({ y: conv(attributes, op)(values) })),
  );

test("groups that do not divide the channels are an error that names the node", () => {
  expect(make("Conv", [1, 4, 3, 3], [4, 1, 3, 3], { group: int(2) })).toThrow(
    'Conv of [1, 4, 3, 3] by weights [4, 1, 3, 3] in 2 groups at node "in/Conv"',
  );
});

test("attributes for another number of axes, and pads that leave nothing, are errors that name the node", () => {
  expect(make("Conv", [1, 1, 3, 3], [1, 1, 3, 3], { strides: ints([1]) })).toThrow(
    /kernel of 3 x 3, strides \[1\].* at node "in\/Conv"/,
  );
  expect(make("Conv", [1, 1, 2], [1, 1, 3], {})).toThrow('kernel of 3 does not fit [2] at node "in/Conv"');
  expect(make("ConvTranspose", [1, 1, 2], [1, 1, 2], { pads: ints([2, 1]) })).toThrow(
    'pads [2, 1] leave nothing of [3] at node "in/ConvTranspose"',
  );
  expect(make("ConvTranspose", [1, 1, 2], [1, 1, 2], { output_shape: ints([4]) })).toThrow(
    'output shape [4] is beyond [3], where the kernels end, at node "in/ConvTranspose"',
  );
  expect(make("ConvTranspose", [1, 1, 2], [1, 1, 2], { output_padding: ints([1]) })).toThrow(
    'output padding [1] is not below the strides at node "in/ConvTranspose"',
  );
});
