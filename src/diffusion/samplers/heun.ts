import type { Tensor } from "../../base/tensor.ts";
import { add, axpy } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { addChurn } from "./churn.ts";
import type { ChurnOptions } from "./churn.ts";
import { eulerStep, slope } from "./sampler.ts";
import type { Step } from "./sampler.ts";

/**
 * Heun's method on the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma. Order 2.
 *
 * Cost: 2 evaluations a step, 1 on the step to 0 (its slope would divide by sigma = 0).
 * Source: Karras et al. 2022 (arXiv:2206.00364), Algorithm 1 with sigma(t) = t; with churn, Algorithm 2.
 */
export async function* heun(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  options: ChurnOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    const hat = addChurn(x, sigma, index, sigmas.length - 1, options);
    const denoised = await denoise(hat.x, hat.sigma, index);
    yield { index, sigma: hat.sigma, next, x: hat.x, denoised };

    // Euler predictor.
    const predicted = eulerStep(hat.x, denoised, hat.sigma, next);
    if (next === 0) return predicted;

    // Trapezoidal corrector.
    const d = slope(hat.x, denoised, hat.sigma);
    const dNext = slope(predicted, await denoise(predicted, next, index), next);
    x = axpy((next - hat.sigma) / 2, add(d, dNext), hat.x);
  }
  return x;
}
