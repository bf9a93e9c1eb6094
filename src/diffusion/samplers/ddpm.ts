import { UsageError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpy, map, zip } from "../../base/tensor.ts";
import type { Evaluate, Prediction } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { addNoise, eulerStep, shiftedMean } from "./sampler.ts";
import type { NoiseSpan, SamplerOptions, Step } from "./sampler.ts";

export interface DdpmOptions extends SamplerOptions {
  /**
   * Variance of the noise of a step. "large": beta_t, right for data of unit variance; "small": the posterior's,
   * beta_t (1 - abar_{t-1}) / (1 - abar_t), right for a single point; "learned": between the two as the network says
   * (`Prediction.varianceMix`). Default "small".
   */
  readonly variance?: DdpmVariance;
  /**
   * Noise on the step to 0. "none": as in Algorithm 2. "as-before": of the same formula as in every step, as in diffusers where the last
   * kept timestep is above 0. Default "none".
   */
  readonly noiseAtEnd?: "none" | "as-before";
}

export type DdpmVariance = "large" | "small" | "learned";

/** The smallest variance whose logarithm is taken: the posterior's is 0 on the step to 0. */
const SMALLEST = 1e-20;

/**
 * DDPM's reverse process, x_{t-1} = (x_t - (1 - a_t) / sqrt(1 - abar_t) eps) / sqrt(a_t) + sd noise, without noise on the step to 0.
 *
 * Written in sigma, for any descending grid: with abar = 1 / (1 + sigma^2) and a_t = abar_t / abar_{t-1} of adjacent levels it is
 *   x' = (sigma'/sigma)^2 x + (1 - (sigma'/sigma)^2) D + sd noise,
 *   sd^2 = (sigma^2 - sigma'^2) (1 + sigma'^2) / (1 + sigma^2)   large
 *   sd^2 = (sigma^2 - sigma'^2) sigma'^2 / sigma^2               small
 *   ln sd^2 = f ln(large) + (1 - f) ln(small)                       learned, f = varianceMix of each element
 * Cost: 1 evaluation a step. Order 1 in the law of the samples. Throws UsageError where a learned variance is wanted and none predicted.
 * Source: Ho et al. 2020 (arXiv:2006.11239), Algorithm 2 and section 3.2; learned: Nichol & Dhariwal 2021 (arXiv:2102.09672), Eq. 15.
 */
export async function* ddpm(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { variance = "small", noiseAtEnd = "none", noise }: DdpmOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    const mean = eulerStep(x, denoised, sigma, (next * next) / sigma);
    const isNoisy = next > 0 || noiseAtEnd === "as-before";
    const deviation = isNoisy ? deviationOf(denoised, sigma, next, variance) : 0;
    const moved = await shiftedMean(mean, denoised, next, deviation);
    x = addNoiseOf(moved, deviation, index, noise, { from: sigma, to: next });
  }
  return x;
}

/** Standard deviation of the noise, of all elements or of each. */
function deviationOf(
  { varianceMix }: Prediction,
  sigma: number,
  next: number,
  variance: DdpmVariance,
): number | Tensor {
  const removed = sigma * sigma - next * next;
  const large = (removed * (1 + next * next)) / (1 + sigma * sigma);
  const small = Math.sqrt(removed) * (next / sigma);
  if (variance === "large") return Math.sqrt(large);
  if (variance === "small") return small;
  if (!varianceMix) {
    throw new UsageError(
      "this denoiser predicts no variance: sample with variance small or large, or return its predictions with `varianceMix`",
    );
  }
  const [most, least] = [Math.log(large), Math.log(Math.max(small * small, SMALLEST))];
  return map((f) => Math.exp((f * most + (1 - f) * least) / 2), varianceMix);
}

/** `addNoise` where each element may have a deviation of its own. */
function addNoiseOf(
  x: Tensor,
  deviation: number | Tensor,
  index: number,
  noise: SamplerOptions["noise"],
  span: NoiseSpan,
): Tensor {
  if (typeof deviation === "number") return addNoise(x, deviation, index, noise, span);
  const unit = addNoise({ data: x.data.map(() => 0), shape: x.shape }, 1, index, noise, span);
  return axpy(
    1,
    zip((sd, z) => sd * z, deviation, unit),
    x,
  );
}
