import type { Tensor } from "../../base/tensor.ts";
import { axpby } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import type { Step } from "./sampler.ts";

/**
 * DPM-Solver++(2M): two-step method in lambda = -ln sigma on the prediction of x0. Order 2. With h = ln(sigma / sigma') and
 * r = (length of the last step) / h,
 *   x' = (sigma'/sigma) x + (1 - e^-h) ((1 + 1/(2r)) D - 1/(2r) D_previous).
 * The first step and the step to 0 are of order 1 (D alone).
 *
 * Cost: 1 evaluation a step.
 * Source: Lu et al. 2022 (arXiv:2211.01095), Algorithm 2.
 */
export async function* dpmpp2m(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
): AsyncGenerator<Step, Tensor, void> {
  let previous: { readonly denoised: Tensor; readonly h: number } | undefined;
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };

    // Extrapolate D along lambda to the middle of the step.
    const h = Math.log(sigma / next);
    const ahead = previous === undefined || next === 0 ? 0 : h / (2 * previous.h);
    const target = previous === undefined ? denoised : axpby(1 + ahead, denoised, -ahead, previous.denoised);

    x = axpby(next / sigma, x, -Math.expm1(-h), target);
    previous = { denoised, h };
  }
  return x;
}
