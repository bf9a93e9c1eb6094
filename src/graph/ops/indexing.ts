import { int, string } from "../attributes.ts";
import { axisOf } from "../shapes.ts";
import type { Value } from "../value.ts";

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
    list(real.map(({ axis }) => axisOf({ name: "slice" }, axis, x.shape.length))),
    list(real.map(({ step = 1 }) => step)),
  ])[0];
}

/** Every axis of `axes` read backwards. */
export function flip(x: Value, axes: readonly number[]): Value {
  return slice(
    x,
    axes.flatMap((axis) =>
      x.shape[axis] > 1 ? [{ axis, start: -1, end: Number.MIN_SAFE_INTEGER, step: -1 }] : [],
    ),
  );
}

/** x with zeros around it: pads[i] in front of axis i, pads[rank + i] behind it. Negative pads cut. */
export function pad(x: Value, pads: readonly number[]): Value {
  if (pads.every((n) => n === 0)) return x;
  return x.builder.apply("Pad", [x, x.builder.literal(pads, "int64")], {
    attributes: { mode: string("constant") },
  })[0];
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
