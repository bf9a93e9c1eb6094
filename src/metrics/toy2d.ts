/**
 * How good samples of the plane are when the true density is known exactly, with the definitions behind the numbers of
 * the toy of autoguidance (Karras et al. 2024, arXiv:2406.02507, appendix C). They were pinned down by one row: 8,192
 * fresh exact samples must give recall and precision near .998, outliers near .010 and an energy distance near .0002.
 */
import { UsageError } from "../base/errors.ts";
import { quantile } from "../base/quantile.ts";
import type { Tensor } from "../base/tensor.ts";
import { energyDistance } from "./energyDistance.ts";
import type { Matrix, Measured } from "./features.ts";
import { matrix, measured } from "./features.ts";
import { shareNearby } from "./nearby.ts";

/** The natural logarithm of the true density at each row of points [n, 2]. */
export type LogDensity = (points: Tensor) => ArrayLike<number>;

export interface Truth2d {
  readonly logDensity: LogDensity;
  /** Exact samples [m, 2]. */
  readonly exact: Tensor;
  /** Log density below which a sample is an outlier. */
  readonly outlierBelow: number;
}

export interface Metrics2d extends Measured {
  /** Mean of the true log density at the samples, in nats. Too high is as wrong as too low: compare with the truth's own. */
  readonly meanLogDensity: number;
  /** Share of samples with log density below `outlierBelow`. */
  readonly outlierRate: number;
  readonly outlierBelow: number;
  /** 2 E|X - Y| - E|X - X'| - E|Y - Y'| with means over all n^2 pairs: see energyDistance, `value`. */
  readonly energyDistance: number;
  /** Share of exact samples that have a sample within `radius`. */
  readonly recall: number;
  /** Share of samples that have an exact sample within `radius`. */
  readonly precision: number;
  readonly radius: number;
}

/**
 * The truth that samples are measured against. The outlier threshold is the `outlierShare` quantile (default 0.01) of
 * log density over `thresholdSamples`, exact samples, by default those in `exact`. The more the steadier: for the tree 2^20
 * of them give -1.864, and estimates from 8,192 spread by about 0.1. To fix a threshold, write { ...truth, outlierBelow }.
 * Throws UsageError unless both sets are finite [n, 2].
 */
export function truth2d(
  logDensity: LogDensity,
  exact: Tensor,
  options: { readonly thresholdSamples?: Tensor; readonly outlierShare?: number } = {},
): Truth2d {
  const { thresholdSamples = exact, outlierShare = 0.01 } = options;
  points(exact, "exact samples");
  points(thresholdSamples, "threshold samples");
  return { logDensity, exact, outlierBelow: quantile(logDensity(thresholdSamples), outlierShare) };
}

/**
 * All 2-D metrics of `samples` [n, 2] against the truth. Recall, precision and energy distance depend on n and on the
 * number of exact samples: compare equal ones only (the usual is 8,192 of each).
 * Throws UsageError for fewer than 2 samples, another shape or values that are not finite. Cost: about 1 s at 8,192.
 */
export function metrics2d(
  samples: Tensor,
  truth: Truth2d,
  options: { readonly radius?: number } = {},
): Metrics2d {
  const { radius = 0.02 } = options;
  if (!(radius > 0 && Number.isFinite(radius)))
    throw new UsageError(`the radius must be above 0, got ${radius}`);
  const x = points(samples, "samples");
  const y = points(truth.exact, "exact samples");
  const logDensities = Float64Array.from(truth.logDensity(samples));
  return {
    ...measured("2-D metrics", "coordinates", x.n, y.n),
    meanLogDensity: logDensities.reduce((a, b) => a + b, 0) / x.n,
    outlierRate: logDensities.filter((value) => value < truth.outlierBelow).length / x.n,
    outlierBelow: truth.outlierBelow,
    energyDistance: energyDistance(samples, truth.exact, { extractor: "coordinates" }).value,
    recall: shareNearby(y, x, radius),
    precision: shareNearby(x, y, radius),
    radius,
  };
}

function points(x: Tensor, what: string): Matrix {
  const checked = matrix(x, what, 2);
  if (checked.d !== 2)
    throw new UsageError(`${what} must be points of the plane, [n, 2], got [${x.shape.join(", ")}]`);
  return checked;
}
