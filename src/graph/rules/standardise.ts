import { add, div, mul, sqrt, square, sub } from "../ops/elementwise.ts";
import { reduceMean } from "../ops/reduce.ts";
import type { HostInput } from "../rule.ts";
import { broadcastIndex } from "../shapes.ts";
import type { Value } from "../value.ts";

// What the normalisations share: x brought to mean 0 and variance 1 over some axes.

interface Standardised {
  /** (x - mean) / std */
  readonly normal: Value;
  readonly centred: Value;
  /** sqrt(variance + epsilon); reduced axes are kept. */
  readonly std: Value;
}

export function standardise(x: Value, axes: readonly number[], epsilon: number): Standardised {
  const centred = sub(x, reduceMean(x, axes, { keep: true }));
  const std = sqrt(add(reduceMean(square(centred), axes, { keep: true }), epsilon));
  return { normal: div(centred, std), centred, std };
}

/** Gradient of x from that of `normal`: (g - mean(g) - normal * mean(g * normal)) / std. */
export function throughStandardise(g: Value, { normal, std }: Standardised, axes: readonly number[]): Value {
  const meanG = reduceMean(g, axes, { keep: true });
  const meanGN = reduceMean(mul(g, normal), axes, { keep: true });
  return div(sub(sub(g, meanG), mul(normal, meanGN)), std);
}

/** For the host reference: the group each element is in when `axes` are reduced, and each group's moments. */
interface Moments {
  readonly groupOf: (i: number) => number;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  /** Mean of the squares. */
  readonly power: Float64Array;
}

export function momentsOf({ shape, numbers }: HostInput, axes: readonly number[]): Moments {
  const kept = shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const groupOf = broadcastIndex(kept, shape);
  const groups = kept.reduce((a, b) => a * b, 1);
  const averageOf = (f: (value: number, group: number) => number): Float64Array => {
    const out = new Float64Array(groups);
    numbers.forEach((value, i) => (out[groupOf(i)] += (f(value, groupOf(i)) * groups) / numbers.length));
    return out;
  };
  const mean = averageOf((value) => value);
  return {
    groupOf,
    mean,
    variance: averageOf((value, group) => (value - mean[group]) ** 2),
    power: averageOf((value) => value ** 2),
  };
}
