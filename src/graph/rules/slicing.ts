import { flip, pad, slice } from "../ops/indexing.ts";
import type { CallSite, RuleFamily, RuleInput } from "../rule.ts";
import { affineIndex, axisOf, generate, knownNumbers, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";

/** Positions start, start + step, ... along one axis. */
interface Range {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** The range each axis of x is read at, by ONNX's clamping rules. */
function rangesOf(site: CallSite, shape: readonly number[], cuts: readonly (number[] | null)[]): Range[] {
  const [starts, ends, axes, steps] = cuts;
  const ranges: Range[] = shape.map((dim) => ({ start: 0, step: 1, count: dim }));
  starts!.forEach((from, i) => {
    const axis = axisOf(site, axes?.[i] ?? i, shape.length);
    const dim = shape[axis];
    const step = steps?.[i] ?? 1;
    const clamp = (n: number, low: number, high: number): number =>
      Math.min(Math.max(n < 0 ? n + dim : n, low), high);
    const start = step > 0 ? clamp(from, 0, dim) : clamp(from, 0, dim - 1);
    const end = step > 0 ? clamp(ends![i], 0, dim) : clamp(ends![i], -1, dim - 1);
    ranges[axis] = { start, step, count: Math.max(0, Math.ceil((end - start) / step)) };
  });
  return ranges;
}

const knownRanges = (site: CallSite, [x, ...cuts]: readonly (RuleInput | null)[]): Range[] =>
  rangesOf(
    site,
    x!.shape,
    cuts.map((cut) => knownNumbers(site, cut, "bounds")),
  );

/** Transpose of Slice: g at the positions that were read, zeros elsewhere. */
function sliceGradient(ranges: readonly Range[], shape: readonly number[], g: Value): Value {
  const backwards = ranges.flatMap(({ step, count }, axis) => (step < 0 && count > 1 ? [axis] : []));
  let out = flip(g, backwards);
  ranges.forEach(({ step, count }, axis) => {
    if (Math.abs(step) > 1 && count > 1) out = spread(out, axis, Math.abs(step));
  });
  const before = ranges.map(({ start, step, count }) => (step > 0 ? start : start + step * (count - 1)));
  const after = ranges.map((_, axis) => shape[axis] - before[axis] - out.shape[axis]);
  return pad(out, [...before, ...after]);
}

/** gap - 1 zeros between neighbours along `axis`. */
function spread(x: Value, axis: number, gap: number): Value {
  const { builder, shape } = x;
  const rank = shape.length;
  const apart = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
  const behindNew = rank + 1 + (axis + 1);
  const zeros = Array.from({ length: 2 * (rank + 1) }, (_, i) => (i === behindNew ? gap - 1 : 0));
  const padded = pad(builder.apply("Reshape", [x, builder.literal(apart, "int64")])[0], zeros);
  const joined = shape.map((dim, i) => (i === axis ? dim * gap : dim));
  const flat = builder.apply("Reshape", [padded, builder.literal(joined, "int64")])[0];
  return slice(flat, [{ axis, start: 0, end: (shape[axis] - 1) * gap + 1 }]);
}

export const slicing: RuleFamily = {
  Slice: {
    infer: (site, inputs) => [
      { dtype: inputs[0]!.dtype, shape: knownRanges(site, inputs).map(({ count }) => count) },
    ],
    gradient: ({ site, inputs, gradients: [g] }) => [
      sliceGradient(knownRanges(site, inputs), inputs[0]!.shape, g!),
      ...inputs.slice(1).map(() => null),
    ],
    evaluate: (site, [x, ...cuts], [{ shape }]) => {
      const ranges = rangesOf(
        site,
        x!.shape,
        cuts.map((cut) => cut && Array.from(cut.numbers)),
      );
      const strides = stridesOf(x!.shape);
      const offset = ranges.reduce((at, { start }, axis) => at + start * strides[axis], 0);
      const steps = ranges.map(({ step }, axis) => step * strides[axis]);
      const index = affineIndex(shape, steps, offset);
      return [generate(shape, (i) => x!.numbers[index(i)])];
    },
  },
};
