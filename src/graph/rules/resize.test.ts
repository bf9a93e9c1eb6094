import { expect, test } from "vitest";
import { float, int, ints, string } from "../attributes.ts";
import { trace } from "../builder.ts";
import type { Attribute } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { tanh } from "../ops/elementwise.ts";
import { upsample } from "../ops/resample.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

interface Target {
  readonly scales?: readonly number[];
  readonly sizes?: readonly number[];
  readonly roi?: readonly number[];
}

function resized(
  x: Value,
  { scales, sizes, roi }: Target,
  modes: Readonly<Record<string, string>>,
  others: Readonly<Record<string, Attribute>> = {},
): Value {
  const list = (numbers: readonly number[] | undefined, dtype: "float32" | "int64"): Value | null =>
    numbers ? x.builder.literal(numbers, dtype) : null;
  const inputs = [x, list(roi, "float32"), list(scales, "float32"), list(sizes, "int64")];
  const named = Object.fromEntries(Object.entries(modes).map(([key, value]) => [key, string(value)]));
  return x.builder.apply("Resize", sizes ? inputs : inputs.slice(0, 3), {
    attributes: { ...named, ...others },
  })[0];
}

gradientSuite([
  { name: "upsample by 2", inputs: { x: [2, 2, 2, 3] }, network: ({ x }) => upsample(tanh(x), 2) },
  {
    name: "upsample by 3 into a nonlinearity",
    inputs: { x: [1, 2, 2, 1] },
    network: ({ x }) => tanh(upsample(x, 3)),
  },
  {
    name: "pixels repeated by another number along each axis",
    inputs: { x: [1, 2, 2, 3] },
    network: ({ x }) => tanh(resized(x, { scales: [1, 1, 3, 2] }, { mode: "nearest" })),
  },
  {
    name: "nearest to other sizes, up and down",
    inputs: { x: [1, 2, 3, 5] },
    network: ({ x }) => tanh(resized(x, { sizes: [1, 2, 4, 3] }, { mode: "nearest", nearest_mode: "ceil" })),
  },
  {
    name: "nearest along a channel axis",
    inputs: { x: [1, 2, 3] },
    network: ({ x }) => resized(x, { sizes: [1, 4, 3] }, { mode: "nearest" }),
  },
  {
    name: "linear with aligned corners along one axis",
    inputs: { x: [1, 2, 4] },
    network: ({ x }) =>
      tanh(
        resized(x, { sizes: [1, 2, 6] }, { mode: "linear", coordinate_transformation_mode: "align_corners" }),
      ),
  },
  {
    name: "linear to named axes",
    inputs: { x: [1, 1, 3, 4] },
    network: ({ x }) => resized(x, { scales: [0.5, 1.5] }, { mode: "linear" }, { axes: ints([3, 2]) }),
  },
  {
    name: "linear along three axes",
    inputs: { x: [1, 1, 2, 3, 2] },
    network: ({ x }) => resized(x, { scales: [1, 1, 2, 1, 1.5] }, { mode: "linear" }),
  },
  {
    name: "linear without aliases",
    inputs: { x: [1, 1, 4, 5] },
    network: ({ x }) => resized(x, { scales: [1, 1, 0.5, 0.6] }, { mode: "linear" }, { antialias: int(1) }),
  },
  {
    name: "cubic",
    inputs: { x: [1, 1, 4, 3] },
    network: ({ x }) =>
      tanh(resized(x, { scales: [1, 1, 1.5, 2] }, { mode: "cubic" }, { cubic_coeff_a: float(-0.5) })),
  },
  {
    name: "cubic with the outside left out",
    inputs: { x: [1, 1, 3, 4] },
    network: ({ x }) => resized(x, { sizes: [1, 1, 5, 2] }, { mode: "cubic" }, { exclude_outside: int(1) }),
  },
  {
    name: "a crop that reaches outside",
    inputs: { x: [1, 1, 4, 3] },
    network: ({ x }) =>
      resized(
        x,
        { sizes: [1, 1, 5, 5], roi: [0, 0, -0.5, 0.2, 1, 1, 0.8, 1] },
        { mode: "linear", coordinate_transformation_mode: "tf_crop_and_resize" },
        { extrapolation_value: float(2) },
      ),
  },
]);

test("aspect ratios are kept by the smaller or the larger factor", () => {
  const size = (policy: string): unknown =>
    trace({ x: { shape: [1, 1, 4, 6] } }, ({ x }) => ({
      y: resized(x, { sizes: [8, 9] }, { keep_aspect_ratio_policy: policy }, { axes: ints([2, 3]) }),
    })).outputs[0].shape;
  expect(size("not_larger")).toEqual([1, 1, 6, 9]);
  expect(size("not_smaller")).toEqual([1, 1, 8, 12]);
  expect(size("stretch")).toEqual([1, 1, 8, 9]);
});

test("every linear and cubic output is a mean of inputs: a constant stays as it is", () => {
  for (const mode of ["linear", "cubic"]) {
    for (const antialias of [0, 1]) {
      const graph = trace({ x: { shape: [1, 1, 5, 7] } }, ({ x }) => ({
        y: resized(x, { sizes: [1, 1, 3, 9] }, { mode }, { antialias: int(antialias) }),
      }));
      const { y } = interpret(graph, { x: { data: new Array<number>(35).fill(3), shape: [1, 1, 5, 7] } });
      expect(y.data).toBeAllClose(new Array<number>(27).fill(3), { abs: 1e-14 });
    }
  }
});

test("scales for too few axes, and unknown modes, are errors that name the node", () => {
  const make = (target: Target, modes: Readonly<Record<string, string>>) => () =>
    trace({ x: { shape: [1, 1, 4, 6] } }, ({ x }, builder) =>
      builder.scope("up", () => ({ y: tanh(resized(x, target, modes)) })),
    );
  expect(make({ scales: [2, 2] }, {})).toThrow(
    'Resize of [1, 1, 4, 6] wants scales or sizes for 4 axes, above 0, at node "up/Resize"',
  );
  expect(make({ scales: [1, 1, 2, 2] }, { mode: "lanczos" })).toThrow('Resize has no mode "lanczos" at node');
});
