import type { Tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { dpmMultistep } from "./dpmMultistep.ts";
import type { DpmSolverType } from "./dpmUpdate.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface SdeOptions extends SamplerOptions {
  /** How much of each step is noise: 0 is the probability-flow ODE, 1 the reverse SDE. 0 or more. Default 1. */
  readonly eta?: number;
  /** Standard deviation of the added noise. Default 1. */
  readonly noiseScale?: number;
}

export interface Dpmpp2mSdeOptions extends SdeOptions {
  /** How D is extrapolated over the step. Default "midpoint". */
  readonly solver?: DpmSolverType;
}

/**
 * SDE-DPM-Solver++(2M): two-step method on the reverse SDE. Order 2, in the law of a Gaussian where there is noise. With
 * h = ln(sigma/sigma'), H = (1 + eta) h and r = (length of the last step)/h,
 *   x' = (sigma'/sigma) e^(-eta h) x + (1 - e^-H) D + c (D - D_previous)/r + sigma' sqrt(1 - e^(-2 eta h)) noise,
 *   c = (1 - e^-H)/2 (midpoint) or 1 - (1 - e^-H)/H (heun).
 * It is `dpmMultistep` without its rule for short runs.
 *
 * Cost: 1 evaluation a step. Draws options.noise on every step that does not end at 0.
 * Source: Lu et al. 2022 (arXiv:2211.01095), section 5; as in k-diffusion.
 */
export function dpmpp2mSde(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  options: Dpmpp2mSdeOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  return dpmMultistep(denoise, x, sigmas, {
    ...options,
    algorithm: "sde-dpmsolver++",
    lowerOrderFinal: false,
  });
}
