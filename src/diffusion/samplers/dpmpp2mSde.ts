import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, sub } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { addNoise } from "./sampler.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface SdeOptions extends SamplerOptions {
  /** How much of each step is noise: 0 is the probability-flow ODE, 1 the reverse SDE. 0 or more. Default 1. */
  readonly eta?: number;
  /** Standard deviation of the added noise. Default 1. */
  readonly noiseScale?: number;
}

export interface Dpmpp2mSdeOptions extends SdeOptions {
  /** How D is extrapolated over the step. Default "midpoint". */
  readonly solver?: "midpoint" | "heun";
}

/**
 * SDE-DPM-Solver++(2M): two-step method on the reverse SDE. Order 2, in the law of a Gaussian where there is noise. With
 * h = ln(sigma/sigma'), H = (1 + eta) h and r = (length of the last step)/h,
 *   x' = (sigma'/sigma) e^(-eta h) x + (1 - e^-H) D + c (D - D_previous)/r + sigma' sqrt(1 - e^(-2 eta h)) noise,
 *   c = (1 - e^-H)/2 (midpoint) or 1 - (1 - e^-H)/H (heun).
 *
 * Cost: 1 evaluation a step. Draws options.noise on every step that does not end at 0.
 * Source: Lu et al. 2022 (arXiv:2211.01095), section 5; as in k-diffusion.
 */
export async function* dpmpp2mSde(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { eta = 1, noiseScale = 1, solver = "midpoint", noise }: Dpmpp2mSdeOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  let previous: { readonly denoised: Tensor; readonly h: number } | undefined;
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    if (next === 0) return axpby(0, x, 1, denoised);

    const h = Math.log(sigma / next);
    const H = (1 + eta) * h;
    const gain = -Math.expm1(-H);
    x = axpby((next / sigma) * Math.exp(-eta * h), x, gain, denoised);
    if (previous) {
      const c = solver === "midpoint" ? gain / 2 : 1 - gain / H;
      x = axpy((c * h) / previous.h, sub(denoised, previous.denoised), x);
    }
    x = addNoise(x, sdeDeviation(next, eta, h) * noiseScale, index, noise, { from: sigma, to: next });
    previous = { denoised, h };
  }
  return x;
}

/** sigma' sqrt(1 - e^(-2 eta h)), the noise of one exact step of the reverse SDE. */
export const sdeDeviation = (next: number, eta: number, h: number): number =>
  next * Math.sqrt(-Math.expm1(-2 * eta * h));
