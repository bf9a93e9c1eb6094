import type { Tensor } from "../../base/tensor.ts";
import { add, axpby } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { eulerStep } from "./sampler.ts";
import type { Step } from "./sampler.ts";

/**
 * Heun's method in flow time t = sigma/(1 + sigma), on the straight path y = (1 - t) x0 + t noise: with the velocity v = dy/dt = eps - D,
 *   y' = y + (t' - t) (v + v')/2,   y = (1 - t) x,   v = (x - (1 + sigma) D)/sigma,
 * v' after a step of Euler. Order 2, and not `heun`, which takes the mean of slopes in sigma. Euler's method is the same in both:
 * it is exact where D and eps stay, and that is the same path.
 *
 * Cost: 2 evaluations a step, 1 on the step to 0.
 * Source: the classical method; as flow matching (Lipman et al. 2023, arXiv:2210.02747) is sampled.
 */
export async function* flowHeun(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };

    const predicted = eulerStep(x, denoised, sigma, next);
    if (next === 0) return predicted;

    // (1 + sigma') y' with t' - t = (sigma' - sigma)/((1 + sigma) (1 + sigma')).
    const velocities = add(
      velocity(x, denoised, sigma),
      velocity(predicted, await denoise(predicted, next, index), next),
    );
    x = axpby((1 + next) / (1 + sigma), x, (next - sigma) / (2 * (1 + sigma)), velocities);
  }
  return x;
}

/** (x - D)/sigma - D, the velocity on the straight path. */
function velocity(x: Tensor, denoised: Tensor, sigma: number): Tensor {
  return axpby(1 / sigma, x, -1 / sigma - 1, denoised);
}
