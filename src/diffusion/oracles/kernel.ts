import type { FloatArray } from "../../base/tensor.ts";
import type { Component } from "./component.ts";
import { fromAxes, toAxes } from "./component.ts";

/**
 * Evaluates p(x; sigma) = sum_k w_k N(x; m_k, S_k), S_k = C_k + sigma^2 I, at one point: `evaluate` overwrites the other fields.
 * Not reentrant, but synchronous. For sigma = 0 every covariance must be regular.
 */
export interface Kernel {
  /** Evaluates at the point that starts at x[offset]. */
  evaluate(x: FloatArray, offset: number, sigma: number): void;
  /** log p(x; sigma) */
  readonly logDensity: number;
  /** Gradient of log p(x; sigma) with respect to x, [d]. */
  readonly score: Float64Array;
}

/** A kernel that also tells the components apart. */
export interface PosteriorKernel extends Kernel {
  /** Probability of each component given x, [count]. */
  readonly posterior: Float64Array;
}

/** A term of the mixture that is exp(-NEGLIGIBLE) of another one, or less, does not change a float64 sum. */
export const NEGLIGIBLE = 40;

const LOG_TWO_PI = Math.log(2 * Math.PI);

/** The kernel of a mixture in any number of dimensions. Cost per point: count * d^2, or count * d along coordinate axes. */
export function generalKernel(weights: Float64Array, components: readonly Component[]): PosteriorKernel {
  const count = components.length;
  const d = components[0].mean.length;
  const logFactors = new Float64Array(count); // ln w_k - ln |S_k| / 2
  const solved = components.map(() => new Float64Array(d)); // S_k^-1 (m_k - x), along the axes
  const delta = new Float64Array(d);
  const along = new Float64Array(d);
  const back = new Float64Array(d);
  let preparedSigma = NaN;

  function prepare(sigma: number): void {
    for (let k = 0; k < count; k++) {
      logFactors[k] = Math.log(weights[k]);
      for (const variance of components[k].variances) logFactors[k] -= Math.log(variance + sigma * sigma) / 2;
    }
    preparedSigma = sigma;
  }

  /** Log of a term without its power of 2 pi: ln w_k - ln |S_k| / 2 - (x - m_k)' S_k^-1 (x - m_k) / 2. Fills solved[k]. */
  function logTerm(k: number, x: FloatArray, offset: number, sigma: number): number {
    const { mean, variances } = components[k];
    for (let i = 0; i < d; i++) delta[i] = mean[i] - x[offset + i];
    toAxes(components[k], delta, along);
    let square = 0;
    for (let j = 0; j < d; j++) {
      solved[k][j] = along[j] / (variances[j] + sigma * sigma);
      square += along[j] * solved[k][j];
    }
    return logFactors[k] - square / 2;
  }

  const score = new Float64Array(d);
  const posterior = new Float64Array(count);
  const kernel = {
    logDensity: 0,
    score,
    posterior,
    evaluate(x: FloatArray, offset: number, sigma: number): void {
      if (sigma !== preparedSigma) prepare(sigma);

      // log-sum-exp over the components.
      let max = -Infinity;
      for (let k = 0; k < count; k++) max = Math.max(max, (posterior[k] = logTerm(k, x, offset, sigma)));
      let total = 0;
      for (let k = 0; k < count; k++) total += posterior[k] = Math.exp(posterior[k] - max);
      kernel.logDensity = max + Math.log(total) - (d / 2) * LOG_TWO_PI;

      // score = sum_k posterior_k S_k^-1 (m_k - x)
      score.fill(0);
      for (let k = 0; k < count; k++) {
        posterior[k] /= total;
        if (posterior[k] < Math.exp(-NEGLIGIBLE)) continue;
        fromAxes(components[k], solved[k], back);
        for (let i = 0; i < d; i++) score[i] += posterior[k] * back[i];
      }
    },
  };
  return kernel;
}
