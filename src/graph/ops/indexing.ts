import { sizeOf } from "../../base/tensor.ts";
import { int, intOf, intsOf, string, stringOf } from "../attributes.ts";
import { dataOf, numbersOf } from "../constant.ts";
import type { Constant } from "../graph.ts";
import type { CallSite, RuleFamily } from "../rule.ts";
import { axisOf, check, knownNumbers, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";
import { expand, pick } from "./reshape.ts";

// --- Traced functions.

interface Cut {
  readonly axis: number;
  readonly start: number;
  /** First index left out. */
  readonly end: number;
  /** Default 1. */
  readonly step?: number;
}

/** The part of x given by one cut an axis. */
export function slice(x: Value, cuts: readonly Cut[]): Value {
  const real = cuts.filter(
    ({ axis, start, end, step = 1 }) => !(start === 0 && end === x.shape[axis] && step === 1),
  );
  if (real.length === 0) return x;
  const list = (numbers: number[]): Value => x.builder.literal(numbers, "int64");
  return x.builder.apply("Slice", [
    x,
    list(real.map(({ start }) => start)),
    list(real.map(({ end }) => end)),
    list(real.map(({ axis }) => axisOf(axis, x.shape.length))),
    list(real.map(({ step = 1 }) => step)),
  ])[0];
}

/** Every axis of `axes` read backwards. */
export function flip(x: Value, axes: readonly number[]): Value {
  return slice(
    x,
    axes.flatMap((axis) => (x.shape[axis] > 1 ? [{ axis, start: -1, end: Number.MIN_SAFE_INTEGER, step: -1 }] : [])),
  );
}

/** x with zeros around it: pads[i] in front of axis i, pads[rank + i] behind it. Negative pads cut. */
export function pad(x: Value, pads: readonly number[]): Value {
  if (pads.every((n) => n === 0)) return x;
  return x.builder.apply("Pad", [x, x.builder.literal(pads, "int64")], { attributes: { mode: string("constant") } })[0];
}

/** Slices of x along `axis` picked by integer indices. */
export function gather(x: Value, indices: Value, axis = 0): Value {
  return x.builder.apply("Gather", [x, indices], { attributes: { axis: int(axis) } })[0];
}

/** 1 where the last axis's position equals the index, else 0; shape [...indices.shape, depth]. */
export function oneHot(indices: Value, depth: number, dtype: "float32" | "float64" = "float32"): Value {
  const { builder } = indices;
  const values = builder.literal([0, 1], dtype);
  return builder.apply("OneHot", [indices, builder.literal(depth, "int64"), values], {
    attributes: { axis: int(-1) },
  })[0];
}

// --- Rules.

interface Range {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** The range each axis of x is read at, by ONNX's clamping rules. */
function rangesOf(site: CallSite, shape: readonly number[], inputs: readonly (number[] | null)[]): Range[] {
  const [starts, ends, axes, steps] = inputs.length > 1 ? inputs.slice(1) : attributeCuts(site);
  const ranges: Range[] = shape.map((dim) => ({ start: 0, step: 1, count: dim }));
  starts!.forEach((from, i) => {
    const axis = axisOf(axes?.[i] ?? i, shape.length);
    const dim = shape[axis];
    const step = steps?.[i] ?? 1;
    const clamp = (n: number, low: number, high: number): number => Math.min(Math.max(n < 0 ? n + dim : n, low), high);
    const start = step > 0 ? clamp(from, 0, dim) : clamp(from, 0, dim - 1);
    const end = step > 0 ? clamp(ends![i], 0, dim) : clamp(ends![i], -1, dim - 1);
    ranges[axis] = { start, step, count: Math.max(0, Math.ceil((end - start) / step)) };
  });
  return ranges;
}

/** Slice before opset 10 has its cuts in attributes. */
function attributeCuts(site: CallSite): (number[] | null)[] {
  const axes = site.attributes.axes ? [...intsOf(site, "axes", [])] : null;
  return [[...intsOf(site, "starts", [])], [...intsOf(site, "ends", [])], axes, null];
}

const knownCuts = (site: CallSite, inputs: readonly (Value | null)[]): (number[] | null)[] =>
  inputs.map((value, i) => (i === 0 ? null : knownNumbers(site, value, "bounds")));

/** Transpose of Slice: g spread out with `step`, zeros elsewhere. */
function sliceGradient(site: CallSite, x: Value, inputs: readonly (Value | null)[], g: Value): Value {
  const ranges = rangesOf(site, x.shape, knownCuts(site, inputs));
  const backwards = ranges.flatMap(({ step, count }, axis) => (step < 0 && count > 1 ? [axis] : []));
  let out = flip(g, backwards);
  ranges.forEach(({ step, count }, axis) => {
    const gap = Math.abs(step);
    if (gap > 1 && count > 1) out = spread(out, axis, gap);
  });
  const before: number[] = [];
  const after: number[] = [];
  ranges.forEach(({ start, step, count }, axis) => {
    const first = step > 0 ? start : start + step * (count - 1);
    const covered = (count - 1) * Math.abs(step) + 1;
    before.push(first);
    after.push(x.shape[axis] - first - covered);
  });
  return pad(out, [...before, ...after]);
}

/** gap - 1 zeros between neighbours along `axis`. */
function spread(x: Value, axis: number, gap: number): Value {
  const { builder, shape } = x;
  const rank = shape.length;
  const apart = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
  const zeros = new Array<number>(2 * (rank + 1)).fill(0);
  zeros[rank + 1 + axis + 1] = gap - 1;
  const padded = pad(builder.apply("Reshape", [x, builder.literal(apart, "int64")])[0], zeros);
  const joined = shape.map((dim, i) => (i === axis ? dim * gap : dim));
  const flat = builder.apply("Reshape", [padded, builder.literal(joined, "int64")])[0];
  return slice(flat, [{ axis, start: 0, end: (shape[axis] - 1) * gap + 1 }]);
}

function evaluateSlice(site: CallSite, inputs: readonly (Constant | null)[]): Constant {
  const x = inputs[0]!;
  const cuts = inputs.map((input, i) => (i > 0 && input ? Array.from(numbersOf(input)) : null));
  const ranges = rangesOf(site, x.shape, cuts);
  const shape = ranges.map(({ count }) => count);
  const [source, target] = [stridesOf(x.shape), stridesOf(shape)];
  return pick(x, shape, (i) =>
    ranges.reduce(
      (index, { start, step, count }, k) => index + (start + step * (Math.floor(i / target[k]) % count)) * source[k],
      0,
    ),
  );
}

function gatherShape(site: CallSite, x: readonly number[], indices: readonly number[]): number[] {
  const axis = axisOf(intOf(site, "axis", 0), x.length);
  return [...x.slice(0, axis), ...indices, ...x.slice(axis + 1)];
}

function evaluateGather(site: CallSite, x: Constant, indices: Constant): Constant {
  const axis = axisOf(intOf(site, "axis", 0), x.shape.length);
  const inner = sizeOf(x.shape.slice(axis + 1));
  const picks = numbersOf(indices);
  return pick(x, gatherShape(site, x.shape, indices.shape), (i) => {
    const outer = Math.floor(i / (inner * picks.length));
    const which = picks[Math.floor(i / inner) % picks.length];
    return (outer * x.shape[axis] + axisOf(which, x.shape[axis])) * inner + (i % inner);
  });
}

/** Transpose of Gather: rows of g added where they came from, by ScatterElements with reduction "add". */
function gatherGradient(site: CallSite, x: Value, indices: Value, g: Value): Value {
  const { builder } = x;
  const axis = axisOf(intOf(site, "axis", 0), x.shape.length);
  const count = sizeOf(indices.shape);
  const flat = [...x.shape.slice(0, axis), count, ...x.shape.slice(axis + 1)];
  const updates = builder.apply("Reshape", [g, builder.literal(flat, "int64")])[0];
  const column = flat.map((_, i) => (i === axis ? count : 1));
  const where = expand(builder.apply("Reshape", [indices, builder.literal(column, "int64")])[0], flat);
  const zeros = expand(builder.literal(0, x.dtype), x.shape);
  return builder.apply("ScatterElements", [zeros, where, updates], {
    attributes: { axis: int(axis), reduction: string("add") },
  })[0];
}

function paddedShape(site: CallSite, x: readonly number[], pads: readonly number[]): number[] {
  check(site, pads.length === 2 * x.length, () => `${pads.length} pads for rank ${x.length}`);
  return x.map((dim, i) => dim + pads[i] + pads[i + x.length]);
}

function padsOf(site: CallSite, given: number[] | null): readonly number[] {
  check(site, stringOf(site, "mode", "constant") === "constant", () => "only constant padding has a rule");
  return given ?? intsOf(site, "pads", []);
}

function evaluatePad(x: Constant, pads: readonly number[], shape: readonly number[], fill: number): Constant {
  const source = numbersOf(x);
  const [from, to] = [stridesOf(x.shape), stridesOf(shape)];
  const out = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    let index = 0;
    for (let k = 0; k < shape.length; k++) {
      const at = (Math.floor(i / to[k]) % shape[k]) - pads[k];
      if (at < 0 || at >= x.shape[k]) return fill;
      index += at * from[k];
    }
    return source[index];
  });
  return { dtype: x.dtype, shape, data: dataOf(x.dtype, out) };
}

export const indexing: RuleFamily = {
  Slice: {
    infer: (site, inputs) => [
      {
        dtype: inputs[0]!.dtype,
        shape: rangesOf(site, inputs[0]!.shape, knownCuts(site, inputs)).map(({ count }) => count),
      },
    ],
    gradient: ({ call, inputs, gradients: [g] }) => [
      sliceGradient({ ...call, outputCount: 1, opset: g!.builder.opset }, inputs[0]!, inputs, g!),
      ...inputs.slice(1).map(() => null),
    ],
    evaluate: (site, inputs) => [evaluateSlice(site, inputs)],
  },
  Pad: {
    infer: (site, [x, pads]) => [
      { dtype: x!.dtype, shape: paddedShape(site, x!.shape, padsOf(site, knownNumbers(site, pads, "pads"))) },
    ],
    gradient: ({ call, inputs, gradients: [g] }) => {
      const site = { ...call, outputCount: 1, opset: g!.builder.opset };
      const pads = padsOf(site, knownNumbers(site, inputs[1], "pads"));
      return [
        pad(
          g!,
          pads.map((n) => -n),
        ),
        ...inputs.slice(1).map(() => null),
      ];
    },
    evaluate: (site, [x, pads, fill]) => {
      const widths = padsOf(site, pads ? Array.from(numbersOf(pads)) : null);
      return [evaluatePad(x!, widths, paddedShape(site, x!.shape, widths), fill ? numbersOf(fill)[0] : 0)];
    },
  },
  Gather: {
    infer: (site, [x, indices]) => [{ dtype: x!.dtype, shape: gatherShape(site, x!.shape, indices!.shape) }],
    gradient: ({ call, inputs: [x, indices], gradients: [g] }) => [
      gatherGradient({ ...call, outputCount: 1, opset: g!.builder.opset }, x!, indices!, g!),
      null,
    ],
    evaluate: (site, [x, indices]) => [evaluateGather(site, x!, indices!)],
  },
  ScatterElements: {
    infer: (_, [x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    gradient: ({ call, inputs: [, where], gradients: [g], wanted }) => {
      check(call, stringOf(call, "reduction", "none") === "add", () => "only the reduction \"add\" has a gradient");
      return [
        wanted[0] ? g : null,
        null,
        wanted[2] ? g!.builder.apply("GatherElements", [g!, where], { attributes: { axis: call.attributes.axis } })[0] : null,
      ];
    },
  },
  GatherElements: {
    infer: (_, [x, where]) => [{ dtype: x!.dtype, shape: where!.shape }],
    gradient: ({ call, inputs: [x, where], gradients: [g] }) => [
      g!.builder.apply("ScatterElements", [expand(x!.builder.literal(0, x!.dtype), x!.shape), where, g!], {
        attributes: { axis: int(intOf(call, "axis", 0)), reduction: string("add") },
      })[0],
      null,
    ],
  },
  OneHot: {
    infer: (site, [indices, depth, values]) => [
      { dtype: values!.dtype, shape: [...indices!.shape, knownNumbers(site, depth, "depth")![0]] },
    ],
    gradient: () => [null, null, null],
  },
  Shape: {
    infer: (_, [x]) => [{ dtype: "int64", shape: [x!.shape.length] }],
    gradient: () => [null],
    evaluate: (_, [x]) => [{ dtype: "int64", shape: [x!.shape.length], data: dataOf("int64", x!.shape) }],
  },
};

