import type { FloatArray } from "../../base/tensor.ts";
import type { Component } from "./component.ts";
import { fromAxes, toAxes } from "./component.ts";

/**
 * Evaluates a mixture at one point: `evaluate` overwrites the other fields. Not reentrant, but synchronous.
 * For sigma = 0 every covariance must be regular.
 */
export interface Kernel {
  evaluate(x: FloatArray, offset: number, sigma: number): void;
  /** log of sum_k w_k N(x; m_k, C_k + sigma^2 I) */
  logDensity: number;
  /** Gradient of logDensity with respect to x, [d]. */
  readonly score: Float64Array;
  /** E[x0 | x], [d]. */
  readonly denoised: Float64Array;
  /** Unnormalised posterior of each component, [count]; 0 where it is below exp(-40) of the largest. */
  readonly terms: Float64Array;
  /** Sum of `terms`. */
  total: number;
}

/** A term of the mixture that is exp(-NEGLIGIBLE) of the largest, or less, does not change a float64 sum. */
export const NEGLIGIBLE = 40;

const LOG_TWO_PI = Math.log(2 * Math.PI);

/** The kernel of a mixture in any number of dimensions. Cost per point: count * d^2, or count * d along coordinate axes. */
export function generalKernel(weights: Float64Array, components: readonly Component[]): Kernel {
  const count = components.length;
  const d = components[0].mean.length;
  const logFactors = new Float64Array(count); // ln w_k - ln |S_k| / 2, S_k = C_k + sigma^2 I
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

  /** Log of the term without its power of 2 pi, ln w_k - ln |S_k| / 2 - (x - m)' S^-1 (x - m) / 2; fills solved[k]. */
  function logTerm(k: number, x: FloatArray, offset: number, sigma: number): number {
    const { mean, variances } = components[k];
    for (let i = 0; i < d; i++) delta[i] = mean[i] - x[offset + i];
    toAxes(components[k], delta, along);
    let q = 0;
    for (let j = 0; j < d; j++) {
      solved[k][j] = along[j] / (variances[j] + sigma * sigma);
      q += along[j] * solved[k][j];
    }
    return logFactors[k] - q / 2;
  }

  function addTo(out: Float64Array, term: number, value: Float64Array): void {
    for (let i = 0; i < d; i++) out[i] += term * value[i];
  }

  const kernel: Kernel = {
    logDensity: 0,
    score: new Float64Array(d),
    denoised: new Float64Array(d),
    terms: new Float64Array(count),
    total: 0,
    evaluate(x, offset, sigma) {
      const { score, denoised, terms } = kernel;
      if (sigma !== preparedSigma) prepare(sigma);
      let max = -Infinity;
      for (let k = 0; k < count; k++) max = Math.max(max, (terms[k] = logTerm(k, x, offset, sigma)));

      // Sums over the components that count: score = S^-1 (m - x), denoised = m - C S^-1 (m - x).
      kernel.total = 0;
      score.fill(0);
      denoised.fill(0);
      for (let k = 0; k < count; k++) {
        const term = terms[k] < max - NEGLIGIBLE ? 0 : Math.exp(terms[k] - max);
        terms[k] = term;
        if (term === 0) continue;
        kernel.total += term;
        fromAxes(components[k], solved[k], back);
        addTo(score, term, back);
        for (let j = 0; j < d; j++) along[j] = -components[k].variances[j] * solved[k][j];
        fromAxes(components[k], along, back);
        addTo(denoised, term, back);
        addTo(denoised, term, components[k].mean);
      }
      for (let i = 0; i < d; i++) {
        score[i] /= kernel.total;
        denoised[i] /= kernel.total;
      }
      kernel.logDensity = max + Math.log(kernel.total) - (d / 2) * LOG_TWO_PI;
    },
  };
  return kernel;
}
