import { expect, test } from "vitest";
import { int, ints, string } from "../attributes.ts";
import { trace } from "../builder.ts";
import { gradients } from "../gradients.ts";
import type { Attribute } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { tanh } from "../ops/elementwise.ts";
import { averagePool, globalAverage } from "../ops/resample.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

type Attributes = Readonly<Record<string, Attribute>>;

const pooled =
  (op: string, attributes: Attributes = {}) =>
  ({ x }: Record<string, Value>): Value =>
    x.builder.apply(op, [x], { attributes })[0];

gradientSuite([
  { name: "averagePool by 2", inputs: { x: [2, 2, 4, 2] }, network: ({ x }) => tanh(averagePool(x, 2)) },
  { name: "averagePool by 3", inputs: { x: [1, 2, 3, 6] }, network: ({ x }) => averagePool(tanh(x), 3) },
  { name: "globalAverage", inputs: { x: [2, 3, 2, 2] }, network: ({ x }) => tanh(globalAverage(x)) },
  {
    name: "a mean over windows that overlap, pads left out",
    inputs: { x: [1, 2, 5, 4] },
    network: (inputs) =>
      tanh(
        pooled("AveragePool", {
          kernel_shape: ints([3, 2]),
          strides: ints([2, 1]),
          pads: ints([1, 0, 1, 1]),
        })(inputs),
      ),
  },
  {
    name: "a mean over windows that leave elements over",
    inputs: { x: [1, 1, 5, 4] },
    network: pooled("AveragePool", { kernel_shape: ints([2, 3]), strides: ints([2, 3]) }),
  },
  {
    name: "a mean over windows that hang over the end, pads counted",
    inputs: { x: [1, 1, 6, 5] },
    network: pooled("AveragePool", {
      kernel_shape: ints([3, 3]),
      strides: ints([2, 3]),
      pads: ints([1, 1, 0, 0]),
      ceil_mode: int(1),
      count_include_pad: int(1),
    }),
  },
  {
    name: "a mean over windows along one axis, pads chosen",
    inputs: { x: [2, 1, 5] },
    network: pooled("AveragePool", {
      kernel_shape: ints([3]),
      strides: ints([2]),
      auto_pad: string("SAME_UPPER"),
    }),
  },
  {
    name: "a mean over blocks along three axes",
    inputs: { x: [1, 1, 2, 4, 3] },
    network: (inputs) =>
      tanh(pooled("AveragePool", { kernel_shape: ints([2, 2, 3]), strides: ints([2, 2, 3]) })(inputs)),
  },
  {
    name: "the largest of overlapping windows",
    inputs: { x: [2, 1, 5, 4] },
    network: (inputs) =>
      tanh(
        pooled("MaxPool", { kernel_shape: ints([3, 3]), strides: ints([2, 1]), pads: ints([1, 1, 1, 1]) })(
          inputs,
        ),
      ),
  },
  {
    name: "the largest of dilated windows along three axes",
    inputs: { x: [1, 2, 3, 4, 3] },
    network: pooled("MaxPool", { kernel_shape: ints([2, 2, 1]), dilations: ints([1, 2, 1]) }),
  },
  {
    name: "the largest of windows that hang over the end",
    inputs: { x: [1, 2, 5] },
    network: pooled("MaxPool", { kernel_shape: ints([2]), strides: ints([2]), ceil_mode: int(1) }),
  },
  {
    name: "a norm over windows",
    inputs: { x: [1, 2, 4, 3] },
    network: pooled("LpPool", { kernel_shape: ints([2, 2]), strides: ints([2, 1]), p: int(2) }),
  },
  {
    name: "a 3-norm over windows with pads",
    inputs: { x: [1, 1, 4, 3] },
    network: pooled("LpPool", { kernel_shape: ints([2, 2]), pads: ints([1, 0, 0, 1]), p: int(3) }),
  },
  {
    name: "a 1-norm over windows",
    inputs: { x: [1, 1, 4] },
    network: (inputs) => tanh(pooled("LpPool", { kernel_shape: ints([3]), p: int(1) })(inputs)),
  },
  {
    name: "the mean of all positions along one axis",
    inputs: { x: [2, 2, 3] },
    network: (inputs) => tanh(pooled("GlobalAveragePool")(inputs)),
  },
  {
    name: "the largest of all positions",
    inputs: { x: [2, 2, 2, 3] },
    network: (inputs) => tanh(pooled("GlobalMaxPool")(inputs)),
  },
  { name: "the norm of all positions", inputs: { x: [2, 2, 2, 3] }, network: pooled("GlobalLpPool") },
]);

/** y and the places of MaxPool of [[1, 3, 2], [3, 0, 4]] with a kernel of 1 x 2, twice. */
function places(order: number): unknown {
  const graph = trace({ x: { shape: [1, 2, 2, 3] } }, ({ x }, builder) => {
    const attributes = { kernel_shape: ints([2, 2]), storage_order: int(order) };
    const [y, at] = builder.apply("MaxPool", [x], { attributes, outputs: 2 });
    return { y, at };
  });
  const { y, at } = interpret(graph, {
    x: { data: [1, 3, 2, 3, 0, 4, 0, 0, 0, 0, 0, 0], shape: [1, 2, 2, 3] },
  });
  return [Array.from(y.data, Number), Array.from(at.data, Number)];
}

test("the places of the largest elements are the first of equals, in row-major or column-major order", () => {
  expect(places(0)).toEqual([
    [3, 4, 0, 0],
    [1, 5, 6, 7],
  ]);
  // [row, column] of a 2 x 3 plane is row + 2 * column.
  expect(places(1)).toEqual([
    [3, 4, 0, 0],
    [2, 5, 6, 8],
  ]);
});

test("a norm over zeros has gradient 0", () => {
  const [name, shape] = ["LpPool", [1, 1, 4]];
  const graph = trace({ x: { shape } }, ({ x }) => {
    const y = pooled(name, { kernel_shape: ints([2]), strides: ints([2]) })({ x });
    return { y, dx: gradients(y, [x])[0] };
  });
  const { dx } = interpret(graph, { x: { data: [0, 0, 3, 4], shape } });
  expect(dx.data).toBeAllClose([0, 0, 0.6, 0.8], { abs: 1e-7 });
});

test("a kernel for another number of axes, or larger than the image, is an error that names the node", () => {
  const make = (op: string, kernel: number[]) => () =>
    trace({ x: { shape: [1, 1, 4, 4] } }, (values, builder) =>
      builder.scope("down", () => ({ y: pooled(op, { kernel_shape: ints(kernel) })(values) })),
    );
  expect(make("MaxPool", [2])).toThrow('MaxPool of [1, 1, 4, 4] with a kernel of [2] at node "down/MaxPool"');
  expect(make("AveragePool", [5, 1])).toThrow(
    'kernel of 5 x 1 does not fit [4, 4] at node "down/AveragePool"',
  );
});
