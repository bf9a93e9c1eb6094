/**
 * The Fréchet distance between two sets of features, each taken as a Gaussian (Dowson and Landau 1982; Heusel et al. 2017,
 * arXiv:1706.08500, with an Inception network's features):
 *
 *   |m1 - m2|^2 + tr C1 + tr C2 - 2 tr (C1 C2)^(1/2)
 *
 * With C1 = A'A and C2 = B'B the last trace is the sum of the singular values of A B'. A and B are pivoted Cholesky
 * factors, cut at the numerical rank, so no eigenvalue near zero is ever rooted: that would turn a rounding error e into
 * sqrt(e), and lose half of the digits whenever there are fewer samples than features.
 */
import { Matrix as Dense, SingularValueDecomposition } from "ml-matrix";
import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import type { ExtractorOption, Measured } from "./features.ts";
import { measured } from "./features.ts";
import { pivotedCholesky } from "./pivotedCholesky.ts";
import type { FeatureStatistics } from "./statistics.ts";
import { featureStatistics } from "./statistics.ts";

export interface FrechetDistance extends Measured {
  /** The distance, a squared length: scaling the features by k scales it by k^2. 0 up to rounding, of either sign, for equal sets. */
  readonly value: number;
  /** |m1 - m2|^2 */
  readonly meanTerm: number;
  /** tr C1 (samples) and tr C2 (reference) */
  readonly trace1: number;
  readonly trace2: number;
  /** tr (C1 C2)^(1/2) */
  readonly traceSqrt: number;
  /** Features a sample. With n not well above it the distance is strongly biased upwards. */
  readonly dimensions: number;
}

/**
 * The Fréchet distance of `samples` to `reference`; each is features [n, d] or stored statistics of them.
 *
 * Covariances are divided by n - 1. The value falls with n: compare only values of equal n and extractor.
 * Throws UsageError for fewer than 2 samples, different widths, values that are not finite, or stored statistics whose
 * extractor is not `options.extractor`. Cost: n d^2 / 2 + about 10 d^3 multiply-adds (about 1.5 s at d = 512).
 */
export function frechetDistance(
  samples: Tensor | FeatureStatistics,
  reference: Tensor | FeatureStatistics,
  options: ExtractorOption,
): FrechetDistance {
  const x = statisticsOf(samples, "samples", options);
  const y = statisticsOf(reference, "reference", options);
  const d = x.mean.length;
  if (y.mean.length !== d) {
    throw new UsageError(
      `samples have ${d} features and the reference has ${y.mean.length}: compute both with the same extractor`,
    );
  }
  let meanTerm = 0;
  for (let i = 0; i < d; i++) meanTerm += (x.mean[i] - y.mean[i]) ** 2;
  const trace1 = trace(x.covariance, d);
  const trace2 = trace(y.covariance, d);
  const traceSqrt = nuclearNorm(pivotedCholesky(x.covariance, d), pivotedCholesky(y.covariance, d), d);
  return {
    ...measured("Fréchet distance", options.extractor, x.count, y.count),
    value: meanTerm + trace1 + trace2 - 2 * traceSqrt,
    meanTerm,
    trace1,
    trace2,
    traceSqrt,
    dimensions: d,
  };
}

function statisticsOf(
  input: Tensor | FeatureStatistics,
  what: string,
  options: ExtractorOption,
): FeatureStatistics {
  if ("shape" in input) return featureStatistics(input, options);
  const { extractor, count, mean, covariance } = input;
  if (extractor !== options.extractor) {
    throw new UsageError(
      `the ${what} statistics were made with "${extractor}" and "${options.extractor}" was asked for: compute them again with that extractor`,
    );
  }
  if (!(count >= 2))
    throw new UsageError(`the ${what} statistics hold ${count} samples, and at least 2 are needed`);
  if (covariance.length !== mean.length ** 2) {
    throw new UsageError(
      `the ${what} statistics have ${mean.length} means and ${covariance.length} covariances, not their square`,
    );
  }
  return input;
}

function trace(c: ArrayLike<number>, d: number): number {
  let sum = 0;
  for (let i = 0; i < d; i++) sum += c[i * d + i];
  return sum;
}

/** The sum of the singular values of A B', for A and B given by rows of d values. */
function nuclearNorm(a: readonly Float64Array[], b: readonly Float64Array[], d: number): number {
  if (a.length === 0 || b.length === 0) return 0;
  const product = a.map((u) =>
    Float64Array.from(b, (v) => {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += u[k] * v[k];
      return sum;
    }),
  );
  const { diagonal } = new SingularValueDecomposition(new Dense(product), {
    computeLeftSingularVectors: false,
    computeRightSingularVectors: false,
    autoTranspose: true,
  });
  return diagonal.reduce((sum, value) => sum + value, 0);
}
