import { intOf } from "../attributes.ts";
import { numbersOf } from "../constant.ts";
import { gather } from "../ops/indexing.ts";
import { reshape } from "../ops/reshape.ts";
import { OpenShapeError } from "../openShapes.ts";
import type { CallSite, HostInput, RuleFamily, RuleInput } from "../rule.ts";
import { axisOf, check, generate, knownNumbers, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";
import { linesOf } from "./argmax.ts";
import { scatterAdd } from "./gather.ts";

const axisIn = (site: CallSite, shape: readonly number[], fallback: number): number =>
  axisOf(site, intOf(site, "axis", fallback), shape.length);

// --- TopK

function topCount(site: CallSite, [x, k]: readonly (RuleInput | null)[]): { axis: number; count: number } {
  const axis = axisIn(site, x!.shape, -1);
  const [count] = knownNumbers(site, k, "k")!;
  check(site, count >= 0 && count <= x!.shape[axis], () => `${count} of an axis of ${x!.shape[axis]}`);
  return { axis, count };
}

/** Values and their places, the best first and of equal ones the first. */
function evaluateTop(site: CallSite, x: HostInput, count: number): [Float64Array, Float64Array] {
  const axis = axisIn(site, x.shape, -1);
  const sign = intOf(site, "largest", 1) === 1 ? -1 : 1;
  const shape = x.shape.map((dim, i) => (i === axis ? count : dim));
  const [values, places] = [generate(shape, () => 0), generate(shape, () => 0)];
  const targets = linesOf(shape, axis);
  linesOf(x.shape, axis).forEach((line, n) => {
    const order = line
      .map((_, i) => i)
      .sort((a, b) => sign * (x.numbers[line[a]] - x.numbers[line[b]]) || a - b);
    targets[n]?.forEach((to, i) => {
      values[to] = x.numbers[line[order[i]]];
      places[to] = order[i];
    });
  });
  return [values, places];
}

// --- Operators whose output's shape depends on their input's numbers

/** The numbers of an input that decides the output's shape. Throws OpenShapeError when they are not known. */
function deciding(site: CallSite, x: RuleInput): Float64Array {
  if (x.constant) return numbersOf(x.constant);
  throw new OpenShapeError(site);
}

const places = (numbers: ArrayLike<number>): number[] =>
  Array.from(numbers).flatMap((x, i) => (x !== 0 ? [i] : []));

/** Elements, or slices along the axis, where a known condition holds. */
function compress(site: CallSite, [x, condition]: readonly (Value | null)[]): Value[] {
  const flat = site.attributes.axis ? x! : reshape(x!, [-1]);
  const axis = axisIn(site, flat.shape, 0);
  const kept = places(deciding(site, condition!));
  return [gather(flat, x!.builder.literal(kept, "int64", [kept.length]), axis)];
}

/** Different slices of x along its axis (or elements): first places, places of each in the list, and counts. */
function uniqueOf(
  site: CallSite,
  x: readonly number[],
  numbers: Float64Array,
): { first: number[]; inverse: number[]; counts: number[] } {
  const axis = site.attributes.axis ? axisIn(site, x, 0) : null;
  const lines = axis === null ? Array.from(numbers, (_, i) => [i]) : slicesOf(x, axis);
  const groups = new Map<string, number[]>();
  lines.forEach((line, i) => {
    const key = line.map((at) => numbers[at]).join();
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  const found = [...groups.values()];
  if (intOf(site, "sorted", 1) === 1) {
    found.sort(([a], [b]) => {
      const k = lines[a].findIndex((at, i) => numbers[at] !== numbers[lines[b][i]]);
      return k < 0 ? 0 : numbers[lines[a][k]] - numbers[lines[b][k]];
    });
  }
  const inverse = new Array<number>(lines.length);
  found.forEach((members, i) => members.forEach((member) => (inverse[member] = i)));
  return { first: found.map(([i]) => i), inverse, counts: found.map((members) => members.length) };
}

/** The positions of each slice across an axis. */
function slicesOf(shape: readonly number[], axis: number): number[][] {
  const lines = linesOf(shape, axis);
  return Array.from({ length: shape[axis] }, (_, i) => lines.map((line) => line[i]));
}

export const selecting: RuleFamily = {
  TopK: {
    infer: (site, inputs) => {
      const { axis, count } = topCount(site, inputs);
      const shape = inputs[0]!.shape.map((dim, i) => (i === axis ? count : dim));
      return [
        { dtype: inputs[0]!.dtype, shape },
        { dtype: "int64", shape },
      ];
    },
    gradient: ({ site, inputs: [x], outputs: [, at], gradients: [g] }) => [
      scatterAdd(x!, at, g!, axisIn(site, x!.shape, -1)),
      null,
    ],
    evaluate: (site, [x, k]) => evaluateTop(site, x!, k!.numbers[0]),
  },
  NonZero: {
    infer: (site, [x]) => [{ dtype: "int64", shape: [x!.shape.length, places(deciding(site, x!)).length] }],
    evaluate: (_, [x]) => {
      const found = places(x!.numbers);
      return [
        stridesOf(x!.shape).flatMap((stride, k) => found.map((at) => Math.floor(at / stride) % x!.shape[k])),
      ];
    },
  },
  Compress: { expand: compress },
  Unique: {
    infer: (site, [x]) => {
      const { first, inverse } = uniqueOf(site, x!.shape, deciding(site, x!));
      const axis = site.attributes.axis ? axisIn(site, x!.shape, 0) : null;
      const shape =
        axis === null ? [first.length] : x!.shape.map((dim, i) => (i === axis ? first.length : dim));
      const whole = (length: number) => ({ dtype: "int64" as const, shape: [length] });
      return [
        { dtype: x!.dtype, shape },
        whole(first.length),
        whole(inverse.length),
        whole(first.length),
      ].slice(0, site.outputCount);
    },
    evaluate: (site, [x], [{ shape }]) => {
      const { first, inverse, counts } = uniqueOf(site, x!.shape, x!.numbers);
      const out = generate(shape, () => 0);
      const axis = site.attributes.axis ? axisIn(site, x!.shape, 0) : null;
      if (axis === null) first.forEach((at, i) => (out[i] = x!.numbers[at]));
      else {
        const [from, to] = [slicesOf(x!.shape, axis), slicesOf(shape, axis)];
        first.forEach((at, i) => to[i].forEach((target, k) => (out[target] = x!.numbers[from[at][k]])));
      }
      return [out, first, inverse, counts].slice(0, site.outputCount);
    },
  },
  // The first lengths[b] entries of each batch entry read backwards: its own transpose.
  ReverseSequence: {
    infer: (site, [x, lengths]) => {
      const { time, batch } = sequenceAxes(site);
      const fits =
        time !== batch && time + batch === 1 && x!.shape.length >= 2 && lengths!.shape[0] === x!.shape[batch];
      check(site, fits, () => `${lengths!.shape[0]} lengths for [${x!.shape.join(", ")}]`);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: ({ site: { attributes }, inputs: [, lengths], gradients: [g] }) => [
      g!.builder.apply("ReverseSequence", [g, lengths], { attributes })[0],
      null,
    ],
    evaluate: (site, [x, lengths], [{ shape }]) => {
      const { time, batch } = sequenceAxes(site);
      const strides = stridesOf(shape);
      return [
        generate(shape, (i) => {
          const [t, b] = [time, batch].map((axis) => Math.floor(i / strides[axis]) % shape[axis]);
          const length = lengths!.numbers[b];
          return x!.numbers[t < length ? i + (length - 1 - 2 * t) * strides[time] : i];
        }),
      ];
    },
  },
};

const sequenceAxes = (site: CallSite): { time: number; batch: number } => ({
  time: intOf(site, "time_axis", 0),
  batch: intOf(site, "batch_axis", 1),
});
