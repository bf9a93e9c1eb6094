import type { Tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { addNoise, eulerStep } from "./sampler.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface DdpmOptions extends SamplerOptions {
  /**
   * Variance of the noise of a step. "large": beta_t, right for data of unit variance; "small": the posterior's,
   * beta_t (1 - abar_{t-1}) / (1 - abar_t), right for a single point. Default "small".
   */
  readonly variance?: DdpmVariance;
}

export type DdpmVariance = "large" | "small";

/**
 * DDPM's reverse process, x_{t-1} = (x_t - (1 - a_t) / sqrt(1 - abar_t) eps) / sqrt(a_t) + sd noise, without noise on the step to 0.
 *
 * Written in sigma, for any descending grid: with abar = 1 / (1 + sigma^2) and a_t = abar_t / abar_{t-1} of adjacent levels it is
 *   x' = (sigma'/sigma)^2 x + (1 - (sigma'/sigma)^2) D + sd noise,
 *   sd^2 = (sigma^2 - sigma'^2) (1 + sigma'^2) / (1 + sigma^2)   large
 *   sd^2 = (sigma^2 - sigma'^2) sigma'^2 / sigma^2               small
 * Cost: 1 evaluation a step. Order 1 in the law of the samples.
 * Source: Ho et al. 2020 (arXiv:2006.11239), Algorithm 2 and section 3.2.
 */
export async function* ddpm(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { variance = "small", noise }: DdpmOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    const mean = eulerStep(x, denoised, sigma, (next * next) / sigma);
    x = addNoise(mean, next === 0 ? 0 : deviation(sigma, next, variance), index, noise, {
      from: sigma,
      to: next,
    });
  }
  return x;
}

function deviation(sigma: number, next: number, variance: DdpmVariance): number {
  const removed = sigma * sigma - next * next;
  if (variance === "large") return Math.sqrt((removed * (1 + next * next)) / (1 + sigma * sigma));
  return (Math.sqrt(removed) * next) / sigma;
}
