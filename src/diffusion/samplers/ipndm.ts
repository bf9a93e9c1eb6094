import type { Tensor } from "../../base/tensor.ts";
import { axpy } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { extrapolated } from "./adamsBashforth.ts";
import { eulerStep, slope } from "./sampler.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface IpndmOptions extends SamplerOptions {
  /** Predictions that a step uses, 1 to 4: 1 is Euler. Default 4. */
  readonly order?: number;
}

/**
 * iPNDM: PNDM without its start. Steps of order 1, 2 and 3 come first, then
 *   x' = x + (sigma' - sigma) (55 eps - 59 eps_1 + 37 eps_2 - 9 eps_3) / 24,   eps = (x - D)/sigma, newest first.
 * The coefficients are those of equal steps whatever the grid, so that the order is 2, and 4 only where the sigmas are equally
 * spaced. `lms` integrates over the real grid (known as "ipndm_v" where this one is "ipndm").
 *
 * Cost: 1 evaluation a step. Its last step, to 0, does not end at the last prediction.
 * Source: Zhang & Chen 2022 (arXiv:2204.13902), which names it; PNDM: Liu et al. 2022 (arXiv:2202.09778).
 */
export async function* ipndm(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { order = 4 }: IpndmOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  let eps: readonly Tensor[] = [];
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    eps = [slope(x, denoised, sigma), ...eps].slice(0, order);
    // Written so that float32 keeps the sample where the run begins at noise alone.
    x = eps.length === 1 ? eulerStep(x, denoised, sigma, next) : axpy(next - sigma, extrapolated(eps), x);
  }
  return x;
}
