import type { Tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { dpmMultistep } from "./dpmMultistep.ts";
import type { Step } from "./sampler.ts";

/**
 * DPM-Solver++(2M): two-step method in lambda = -ln sigma on the prediction of x0. Order 2. With h = ln(sigma / sigma') and
 * r = (length of the last step) / h,
 *   x' = (sigma'/sigma) x + (1 - e^-h) ((1 + 1/(2r)) D - 1/(2r) D_previous).
 * The first step and the step to 0 are of order 1 (D alone). It is `dpmMultistep` without its rule for short runs.
 *
 * Cost: 1 evaluation a step.
 * Source: Lu et al. 2022 (arXiv:2211.01095), Algorithm 2.
 */
export function dpmpp2m(denoise: Evaluate, x: Tensor, sigmas: Sigmas): AsyncGenerator<Step, Tensor, void> {
  return dpmMultistep(denoise, x, sigmas, { lowerOrderFinal: false });
}
