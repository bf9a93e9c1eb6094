import type { Tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { addChurn } from "./churn.ts";
import type { ChurnOptions } from "./churn.ts";
import { eulerStep } from "./sampler.ts";
import type { Step } from "./sampler.ts";

/**
 * Euler's method on the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma. Order 1. The same as DDIM with eta 0.
 *
 * Cost: 1 evaluation a step.
 * Source: Karras et al. 2022 (arXiv:2206.00364), Algorithm 2 without its correction.
 */
export async function* euler(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  options: ChurnOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    const hat = addChurn(x, sigma, index, sigmas.length - 1, options);
    const denoised = await denoise(hat.x, hat.sigma, index);
    yield { index, sigma: hat.sigma, next, x: hat.x, denoised };
    x = eulerStep(hat.x, denoised, hat.sigma, next);
  }
  return x;
}
