import type { Tensor } from "../../base/tensor.ts";
import { axpy } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { lagrangeIntegrals } from "./lagrange.ts";
import { slope } from "./sampler.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface LmsOptions extends SamplerOptions {
  /** Slopes that a step uses, 1 to 4: 1 is Euler. Default 4. */
  readonly order?: number;
}

/**
 * Linear multistep (Adams-Bashforth on an uneven grid): the slope d = (x - D)/sigma is replaced by the polynomial through the
 * last `order` ones and integrated exactly over the step,
 *   x' = x + sum_j d_j integral from sigma to sigma' of l_j.
 * Order 4 with the default; its first steps are of lower order.
 *
 * Cost: 1 evaluation a step. Its last step, to 0, does not end at the last prediction.
 * Source: the classical method, in sigma; known as "LMS" from k-diffusion.
 */
export async function* lms(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { order = 4 }: LmsOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  /** The last slopes, newest first, and where they stand. */
  let slopes: readonly { readonly sigma: number; readonly d: Tensor }[] = [];
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };

    slopes = [{ sigma, d: slope(x, denoised, sigma) }, ...slopes].slice(0, order);
    const weights = lagrangeIntegrals(
      slopes.map((one) => one.sigma),
      sigma,
      next,
    );
    slopes.forEach(({ d }, j) => (x = axpy(weights[j], d, x)));
  }
  return x;
}
