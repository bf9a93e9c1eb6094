/** Wasserstein distances that sorting solves: on a line, and averaged over lines (Bonneel et al. 2015, "sliced"). */
import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import type { ExtractorOption, Matrix, Measured } from "./features.ts";
import { matrices, matrix, measured } from "./features.ts";

export interface WassersteinOptions {
  /** The order p >= 1: costs are |difference|^p. Default 1. */
  readonly order?: number;
  /** Weights of the points, not negative, scaled here to sum 1. Default: all equal. */
  readonly xWeights?: ArrayLike<number>;
  readonly yWeights?: ArrayLike<number>;
}

/**
 * The p-Wasserstein distance of points on a line: (integral over levels u in (0, 1) of |F^-1(u) - G^-1(u)|^p du)^(1/p).
 * The numbers of points may differ. Throws UsageError for no points, values that are not finite or unusable weights.
 */
export function wasserstein1d(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  options: WassersteinOptions = {},
): number {
  const { order = 1, xWeights, yWeights } = options;
  return (
    transportCost(quantiles(x, xWeights, "x"), quantiles(y, yWeights, "y"), checkedOrder(order)) **
    (1 / order)
  );
}

export interface SlicedWasserstein extends Measured {
  readonly order: number;
  readonly projections: number;
  /** (mean of perProjection)^(1 / order) */
  readonly value: number;
  /** The 1-D distance along each direction, to the power `order`. */
  readonly perProjection: readonly number[];
}

/**
 * The p-Wasserstein distance averaged over `directions` [count, d], which are used as they are: (mean of W_p^p)^(1/p).
 * Throws UsageError for fewer than 1 row, different widths or values that are not finite. Cost: count (n log n + n d).
 */
export function slicedWasserstein(
  samples: Tensor,
  reference: Tensor,
  directions: Tensor,
  options: ExtractorOption & { readonly order?: number },
): SlicedWasserstein {
  const { order = 1, extractor } = options;
  checkedOrder(order);
  const { x, y } = matrices(samples, reference, 1);
  const p = matrix(directions, "directions", 1);
  if (p.d !== x.d)
    throw new UsageError(`directions have ${p.d} entries and samples ${x.d} features: they must agree`);
  const perProjection = Array.from({ length: p.n }, (_, i) => {
    const direction = p.data.subarray(i * p.d, (i + 1) * p.d);
    return transportCost(quantiles(project(x, direction)), quantiles(project(y, direction)), order);
  });
  const value = (perProjection.reduce((a, b) => a + b, 0) / p.n) ** (1 / order);
  return {
    ...measured("sliced Wasserstein distance", extractor, x.n, y.n),
    order,
    projections: p.n,
    value,
    perProjection,
  };
}

/** `count` random directions of length 1 in d dimensions, [count, d], drawn by `stream`. */
export function randomDirections(stream: { normal(): number }, count: number, d: number): Tensor {
  const data = Float64Array.from({ length: count * d }, () => stream.normal());
  for (let i = 0; i < count; i++) {
    const row = data.subarray(i * d, (i + 1) * d);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    for (let k = 0; k < d; k++) row[k] /= length;
  }
  return { data, shape: [count, d] };
}

/** A distribution on a line: sorted values, and the level (0, 1] up to which each one reaches. */
interface Quantiles {
  readonly values: Float64Array;
  readonly levels: Float64Array;
}

function quantiles(points: ArrayLike<number>, weights?: ArrayLike<number>, what = "points"): Quantiles {
  const n = points.length;
  if (n === 0) throw new UsageError(`${what} is empty: at least one point is needed`);
  for (let i = 0; i < n; i++) {
    if (!Number.isFinite(points[i]))
      throw new UsageError(`${what}: point ${i} is ${points[i]}, and must be finite`);
  }
  if (weights === undefined) {
    return {
      values: Float64Array.from(points).sort(),
      levels: Float64Array.from({ length: n }, (_, i) => (i + 1) / n),
    };
  }
  const total = Array.from(weights).reduce((a, b) => a + b, 0);
  if (
    weights.length !== n ||
    !Array.from(weights).every((w) => w >= 0) ||
    !(total > 0 && Number.isFinite(total))
  ) {
    throw new UsageError(
      `${what} needs one weight for each of its ${n} points, none negative and not all zero`,
    );
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => points[a] - points[b]);
  const levels = new Float64Array(n);
  let level = 0;
  order.forEach((index, i) => (levels[i] = level += weights[index] / total));
  levels[n - 1] = 1;
  return { values: Float64Array.from(order, (index) => points[index]), levels };
}

/** The integral over levels of |difference of quantiles|^order. */
function transportCost(x: Quantiles, y: Quantiles, order: number): number {
  let cost = 0;
  let level = 0;
  for (let i = 0, j = 0; i < x.values.length && j < y.values.length;) {
    const next = Math.min(x.levels[i], y.levels[j]);
    cost += (next - level) * Math.abs(x.values[i] - y.values[j]) ** order;
    level = next;
    if (x.levels[i] <= next) i++;
    if (y.levels[j] <= next) j++;
  }
  return cost;
}

function project(x: Matrix, direction: Float64Array): Float64Array {
  return Float64Array.from({ length: x.n }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < x.d; k++) sum += x.data[i * x.d + k] * direction[k];
    return sum;
  });
}

function checkedOrder(order: number): number {
  if (!(order >= 1 && Number.isFinite(order)))
    throw new UsageError(`the order must be at least 1, got ${order}`);
  return order;
}
