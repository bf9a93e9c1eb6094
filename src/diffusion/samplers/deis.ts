import type { Tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { dpmMultistep } from "./dpmMultistep.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface DeisOptions extends SamplerOptions {
  /** Predictions that a step uses, 1 to 3. Default 2. */
  readonly order?: number;
  /** Whether runs of fewer than 15 steps end with steps of 2 and 1 predictions. Default true. */
  readonly lowerOrderFinal?: boolean;
}

/**
 * DEIS: the last predictions of eps give the polynomial through them in ln sigma, which is integrated exactly over the next step,
 *   x' = x + sum_j eps_j integral from sigma to sigma' of l_j(ln s) ds.
 * That is DPM-Solver in several steps with its slopes and bends integrated exactly: `dpmMultistep` with algorithm dpmsolver, solver heun.
 * A step to 0 ends at D.
 *
 * Order 2 by default. Cost: 1 evaluation a step. The last noise level may be repeated, as in some tables.
 * Source: Zhang & Chen 2023 (arXiv:2204.13902), its Adams-Bashforth kind, the polynomial in ln rho as in diffusers.
 */
export function deis(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { order = 2, lowerOrderFinal = true }: DeisOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  return dpmMultistep(denoise, x, sigmas, {
    order,
    lowerOrderFinal,
    algorithm: "dpmsolver",
    solver: "heun",
    bend: "exact",
  });
}
