import type { Tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { addNoise, eulerStep, shiftedMean } from "./sampler.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface EulerAncestralOptions extends SamplerOptions {
  /** How much of each step is noise: 0 is Euler, 1 the posterior's noise (DDPM's small variance). 0 or more. Default 1. */
  readonly eta?: number;
  /** Standard deviation of the added noise. Default 1. */
  readonly noiseScale?: number;
}

/**
 * Euler's method to a noise level below the next one, then fresh noise up to it. Order 1 in the law of the samples.
 *
 * Cost: 1 evaluation a step. Draws options.noise on every step that does not end at 0.
 * Source: the reverse step of Ho et al. 2020 (arXiv:2006.11239) in sigma; known as "Euler a" from k-diffusion.
 */
export async function* eulerAncestral(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { eta = 1, noiseScale = 1, noise }: EulerAncestralOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    const { down, up } = ancestralSplit(sigma, next, eta);
    const sd = up * noiseScale;
    const mean = await shiftedMean(eulerStep(x, denoised, sigma, down), denoised, next, sd);
    x = addNoise(mean, sd, index, noise, { from: sigma, to: next });
  }
  return x;
}

/**
 * The level to step down to and the noise to add, down^2 + up^2 = next^2:
 * up = min(next, eta * sqrt(next^2 (sigma^2 - next^2) / sigma^2)), down = sqrt(next^2 - up^2).
 */
export function ancestralSplit(
  sigma: number,
  next: number,
  eta: number,
): { readonly down: number; readonly up: number } {
  const up = Math.min(next, eta * next * Math.sqrt(1 - (next / sigma) ** 2));
  return { down: Math.sqrt(next * next - up * up), up };
}
