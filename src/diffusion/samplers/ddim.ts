import type { Tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { ancestralSplit } from "./eulerAncestral.ts";
import { addNoise, eulerStep, shiftedMean } from "./sampler.ts";
import type { Step } from "./sampler.ts";
import { takenFor } from "./timesteps.ts";
import type { TimestepOptions } from "./timesteps.ts";

export interface DdimOptions extends TimestepOptions {
  /** 0: deterministic, the same as Euler; 1: the posterior's noise, DDPM's small variance. 0 or more. Default 0. */
  readonly eta?: number;
}

/**
 * DDIM: predicts x0 and eps = (x - D) / sigma, then renoises with a mixture of eps and fresh noise. With abar = 1 / (1 + sigma^2),
 *   x'/sqrt(abar') = D + sqrt(sigma'^2 - u^2) eps + u noise,   u = eta sigma' sqrt(1 - sigma'^2 / sigma^2),
 * which is Eq. 12 divided by sqrt(abar'): in sigma, DDIM is the ancestral Euler method with another default for eta.
 *
 * Where the prediction was clipped, `renoise` can carry the one before: then eps is that one's, as in diffusers without
 * use_clipped_model_output. With `timesteps` a step goes to t - stride and not to the next level of the grid.
 *
 * Cost: 1 evaluation a step. Order 1.
 * Source: Song et al. 2021 (arXiv:2010.02502), Eq. 12 and 16.
 */
export async function* ddim(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { eta = 0, timesteps, noise }: DdimOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    const end = timesteps?.sigmaOf(timesteps.values[index] - timesteps.stride) ?? next;
    const { down, up } = ancestralSplit(sigma, end, eta);
    const mean = await shiftedMean(eulerStep(x, denoised, sigma, down), denoised, end, up);
    x = takenFor(addNoise(mean, up, index, noise, { from: sigma, to: end }), end, next);
  }
  return x;
}
