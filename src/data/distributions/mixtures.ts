/** The numbers of a Gaussian mixture in d dimensions with n components, flat and row-major. */
export interface MixtureParameters {
  /** [n], sum 1. */
  readonly weights: Float64Array;
  /** [n, d]. */
  readonly means: Float64Array;
  /** [n, d, d]. */
  readonly covariances: Float64Array;
}

/** The mixture that takes each part with its share; the shares must sum to 1. */
export function join(parts: readonly MixtureParameters[], shares: readonly number[]): MixtureParameters {
  return {
    weights: concat(parts.map((part, k) => part.weights.map((w) => w * shares[k]))),
    means: concat(parts.map((part) => part.means)),
    covariances: concat(parts.map((part) => part.covariances)),
  };
}

/** Round 2-D Gaussians of equal weight and standard deviation around the given centres. */
export function roundGaussians(
  centres: readonly (readonly [number, number])[],
  std: number,
): MixtureParameters {
  return {
    weights: new Float64Array(centres.length).fill(1 / centres.length),
    means: Float64Array.from(centres.flat()),
    covariances: Float64Array.from(centres.flatMap(() => [std * std, 0, 0, std * std])),
  };
}

/** Mean and covariance of a mixture in 2-D: mean [2], covariance [2, 2]. */
export function moments({ weights, means, covariances }: MixtureParameters): {
  readonly mean: Float64Array;
  readonly covariance: Float64Array;
} {
  const mean = new Float64Array(2);
  const covariance = new Float64Array(4);
  weights.forEach((w, k) => {
    for (let i = 0; i < 2; i++) mean[i] += w * means[2 * k + i];
  });
  weights.forEach((w, k) => {
    for (let i = 0; i < 2; i++) {
      for (let j = 0; j < 2; j++) {
        const spread = (means[2 * k + i] - mean[i]) * (means[2 * k + j] - mean[j]);
        covariance[2 * i + j] += w * (covariances[4 * k + 2 * i + j] + spread);
      }
    }
  });
  return { mean, covariance };
}

function concat(arrays: readonly Float64Array[]): Float64Array {
  return Float64Array.from(arrays.flatMap((array) => Array.from(array)));
}
