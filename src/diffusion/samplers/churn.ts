import type { Tensor } from "../../base/tensor.ts";
import { addNoise } from "./sampler.ts";
import type { SamplerOptions } from "./sampler.ts";

/** Noise that is added before a step and removed by it ("stochastic sampling"). Off by default. */
export interface ChurnOptions extends SamplerOptions {
  /** S_churn, total amount over the run, 0 or more; 0 is off. Default 0. */
  readonly churn?: number;
  /** S_tmin, churn acts for churnMin <= sigma <= churnMax. Default 0. */
  readonly churnMin?: number;
  /** S_tmax. Default infinite. */
  readonly churnMax?: number;
  /** S_noise, standard deviation of the added noise. Default 1. */
  readonly churnNoise?: number;
}

/**
 * x raised from sigma to sigmaHat = sigma (1 + gamma), gamma = min(churn / steps, sqrt(2) - 1) inside [churnMin, churnMax], else 0:
 * xHat = x + sqrt(sigmaHat^2 - sigma^2) * churnNoise * noise.
 *
 * Source: Karras et al. 2022 (arXiv:2206.00364), Algorithm 2, lines 4-6.
 */
export function addChurn(
  x: Tensor,
  sigma: number,
  index: number,
  steps: number,
  { churn = 0, churnMin = 0, churnMax = Infinity, churnNoise = 1, noise }: ChurnOptions,
): { readonly x: Tensor; readonly sigma: number } {
  const acts = sigma >= churnMin && sigma <= churnMax;
  const gamma = acts ? Math.min(churn / steps, Math.SQRT2 - 1) : 0;
  if (gamma === 0) return { x, sigma };
  const sigmaHat = sigma * (1 + gamma);
  const deviation = Math.sqrt(sigmaHat * sigmaHat - sigma * sigma) * churnNoise;
  return { x: addNoise(x, deviation, index, noise, { from: sigmaHat, to: sigma }), sigma: sigmaHat };
}
