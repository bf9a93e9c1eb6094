import { sizeOf } from "../../base/tensor.ts";
import { floatOf, ints, intsOf, stringOf } from "../attributes.ts";
import { constantOf } from "../constant.ts";
import { mul } from "../ops/elementwise.ts";
import { matmul } from "../ops/linear.ts";
import { reshape } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, RuleFamily, RuleInput } from "../rule.ts";
import { axisOf, check, knownNumbers } from "../shapes.ts";
import type { Value } from "../value.ts";
import { type ResizedAxis, type Taps, tapsOf } from "./resizeAxis.ts";

/** Numbers of the inputs behind x: roi, scales, sizes; null where absent or empty. */
type Settings = readonly (readonly number[] | null)[];

/** Resizing is linear, and goes along one axis after the other. */
interface AxisResize {
  readonly axis: number;
  readonly to: number;
  readonly taps: readonly Taps[];
}

/** How every axis of x is resized. */
function axesOf(site: CallSite, shape: readonly number[], [roi, scales, sizes]: Settings): ResizedAxis[] {
  const all = shape.map((_, i) => i);
  const named = intsOf(site, "axes", all).map((axis) => axisOf(site, axis, shape.length));
  const given = scales ?? sizes;
  const fits = given !== null && given.length === named.length && given.every((n) => n > 0);
  check(
    site,
    fits,
    () => `${site.op} of [${shape.join(", ")}] wants scales or sizes for ${named.length} axes, above 0,`,
  );
  const common = scales
    ? null
    : commonScale(
        site,
        named.map((axis, i) => sizes![i] / shape[axis]),
      );
  return shape.map((from, axis): ResizedAxis => {
    const i = named.indexOf(axis);
    if (i < 0) return { from, to: from, scale: 1, start: 0, end: 1 };
    const [start, end] = [roi?.[i] ?? 0, roi?.[i + named.length] ?? 1];
    if (scales) return { from, to: Math.floor(Math.fround(scales[i] * from)), scale: scales[i], start, end };
    const to = common === null ? sizes![i] : Math.floor(common * from + 0.5);
    return { from, to, scale: common ?? to / from, start, end };
  });
}

/** The one factor for all axes that keeps the aspect ratio; null where each is stretched by its own. */
function commonScale(site: CallSite, scales: readonly number[]): number | null {
  const policy = stringOf(site, "keep_aspect_ratio_policy", "stretch");
  if (policy === "stretch") return null;
  return policy === "not_larger" ? Math.min(...scales) : Math.max(...scales);
}

/** The axes that are resized: those where an output is not just the input at its place. */
function stepsOf(site: CallSite, shape: readonly number[], settings: Settings): AxisResize[] {
  return axesOf(site, shape, settings)
    .map((axis, i) => ({ axis: i, to: axis.to, taps: tapsOf(site, axis) }))
    .filter(({ to, axis, taps }) => to !== shape[axis] || !taps.every(isJust((i) => i)));
}

const isJust =
  (place: (i: number) => number) =>
  (taps: Taps, i: number): boolean =>
    taps?.length === 1 && taps[0].at === place(i) && taps[0].weight === 1;

const filled = (list: readonly number[] | null): readonly number[] | null => (list?.length ? list : null);

function settingsOf(site: CallSite, [, roi, scales, sizes]: readonly (RuleInput | null)[]): Settings {
  return [
    crops(site) ? knownNumbers(site, roi, "the region") : null,
    filled(knownNumbers(site, scales, "scales")),
    filled(knownNumbers(site, sizes, "sizes")),
  ];
}

const crops = (site: CallSite): boolean =>
  stringOf(site, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";

// --- Gradient: the transposed weights, one axis after the other.

function resizeGradient({ site, inputs, gradients: [g] }: GradientCall): (Value | null)[] {
  const { shape } = inputs[0]!;
  const steps = stepsOf(site, shape, settingsOf(site, inputs));
  const factors = blocksOf(steps, shape);
  const dx = factors ? blockSums(g!, factors) : steps.reduce((out, step) => alongAxis(out, step, shape), g!);
  return [dx, ...inputs.slice(1).map(() => null)];
}

/** How often each spatial element is repeated, if that is all that happens; else null. */
function blocksOf(steps: readonly AxisResize[], shape: readonly number[]): number[] | null {
  const factors = shape.map(() => 1);
  for (const { axis, to, taps } of steps) {
    const factor = to / shape[axis];
    if (axis < 2 || !taps.every(isJust((i) => Math.floor(i / factor))) || !Number.isInteger(factor))
      return null;
    factors[axis] = factor;
  }
  return steps.length > 0 ? factors.slice(2) : null;
}

function blockSums(g: Value, factors: readonly number[]): Value {
  const means = g.builder.apply("AveragePool", [g], {
    attributes: { kernel_shape: ints(factors), strides: ints(factors) },
  })[0];
  return mul(means, sizeOf(factors));
}

/** g times the step's weights [to, from] along its axis: as a matrix product, the axes before and after it taken as one. */
function alongAxis(g: Value, { axis, to, taps }: AxisResize, shape: readonly number[]): Value {
  const from = shape[axis];
  const out = [...g.shape.slice(0, axis), from, ...g.shape.slice(axis + 1)];
  const inner = sizeOf(g.shape.slice(axis + 1));
  const weights = new Float64Array(from * to);
  const [down, right] = inner === 1 ? [from, 1] : [1, to];
  taps.forEach((list, i) => list?.forEach(({ at, weight }) => (weights[i * down + at * right] = weight)));
  const matrix = g.builder.constant(constantOf(g.dtype, inner === 1 ? [to, from] : [from, to], weights));
  const product =
    inner === 1 ? matmul(reshape(g, [-1, to]), matrix) : matmul(matrix, reshape(g, [-1, to, inner]));
  return reshape(product, out);
}

// --- The host reference.

function evaluateAxis(x: HostInput, { axis, to, taps }: AxisResize): HostInput {
  const inner = sizeOf(x.shape.slice(axis + 1));
  const from = x.shape[axis];
  const shape = [...x.shape.slice(0, axis), to, ...x.shape.slice(axis + 1)];
  const numbers = new Float64Array(sizeOf(shape));
  for (let i = 0; i < numbers.length; i++) {
    const [outer, place, rest] = [Math.floor(i / (to * inner)), Math.floor(i / inner) % to, i % inner];
    for (const { at, weight } of taps[place] ?? [])
      numbers[i] += weight * x.numbers[(outer * from + at) * inner + rest];
  }
  return { dtype: x.dtype, shape, numbers };
}

/** Puts the extrapolation value where some axis is outside. */
function extrapolate(y: HostInput, steps: readonly AxisResize[], value: number): Float64Array {
  return y.numbers.map((number, i) => {
    const outside = steps.some(({ axis, to, taps }) => {
      return taps[Math.floor(i / sizeOf(y.shape.slice(axis + 1))) % to] === null;
    });
    return outside ? value : number;
  });
}

export const resize: RuleFamily = {
  Resize: {
    infer: (site, inputs) => {
      const { dtype, shape } = inputs[0]!;
      const axes = axesOf(site, shape, settingsOf(site, inputs));
      for (const axis of axes) tapsOf(site, { ...axis, to: 1 }); // refuses unknown modes
      return [{ dtype, shape: axes.map(({ to }) => to) }];
    },
    gradient: resizeGradient,
    evaluate: (site, [x, ...rest]) => {
      const settings = [0, 1, 2].map((i) => filled(rest[i] ? Array.from(rest[i].numbers) : null));
      const steps = stepsOf(site, x!.shape, settings);
      const y = steps.reduce(evaluateAxis, x!);
      return [crops(site) ? extrapolate(y, steps, floatOf(site, "extrapolation_value", 0)) : y.numbers];
    },
  },
};
