import type { Tensor } from "../../base/tensor.ts";
import { axpy } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { addChurn } from "./churn.ts";
import type { ChurnOptions } from "./churn.ts";
import { eulerStep, slope } from "./sampler.ts";
import type { Step } from "./sampler.ts";

/**
 * DPM-Solver-2: a midpoint method whose middle is the geometric mean m = sqrt(sigma sigma') of a step. Order 2.
 *   x' = x + (sigma' - sigma) (x_m - D(x_m; m)) / m,   x_m = Euler's step to m
 *
 * Cost: 2 evaluations a step, 1 on the step to 0 (an Euler step).
 * Source: Lu et al. 2022 (arXiv:2206.00927), Algorithm 1 with r = 1/2; in sigma as in Karras et al. 2022, with churn.
 */
export async function* dpm2(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  options: ChurnOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    const hat = addChurn(x, sigma, index, sigmas.length - 1, options);
    const denoised = await denoise(hat.x, hat.sigma, index);
    yield { index, sigma: hat.sigma, next, x: hat.x, denoised };
    if (next === 0) return eulerStep(hat.x, denoised, hat.sigma, 0);

    const middle = Math.sqrt(hat.sigma * next);
    const between = eulerStep(hat.x, denoised, hat.sigma, middle);
    const d = slope(between, await denoise(between, middle, index), middle);
    x = axpy(next - hat.sigma, d, hat.x);
  }
  return x;
}
