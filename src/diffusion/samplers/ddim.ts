import type { Tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { eulerAncestral } from "./eulerAncestral.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface DdimOptions extends SamplerOptions {
  /** 0: deterministic, the same as Euler; 1: the posterior's noise, DDPM's small variance. 0 or more. Default 0. */
  readonly eta?: number;
}

/**
 * DDIM: predicts x0 and eps = (x - D) / sigma, then renoises with a mixture of eps and fresh noise. With abar = 1 / (1 + sigma^2),
 *   x'/sqrt(abar') = D + sqrt(sigma'^2 - u^2) eps + u noise,   u = eta sigma' sqrt(1 - sigma'^2 / sigma^2),
 * which is Eq. 12 divided by sqrt(abar'): in sigma, DDIM is the ancestral Euler method with another default for eta.
 *
 * Cost: 1 evaluation a step. Order 1.
 * Source: Song et al. 2021 (arXiv:2010.02502), Eq. 12 and 16.
 */
export function ddim(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { eta = 0, noise }: DdimOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  return eulerAncestral(denoise, x, sigmas, { eta, noise });
}
