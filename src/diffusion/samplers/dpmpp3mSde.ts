import type { Tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { dpmMultistep } from "./dpmMultistep.ts";
import type { SdeOptions } from "./dpmpp2mSde.ts";
import type { Step } from "./sampler.ts";

/**
 * SDE-DPM-Solver++(3M): three-step method on the reverse SDE. Order 2 in the law of a Gaussian. With H = (1 + eta) ln(sigma/sigma'),
 * phi2 = (e^-H - 1)/H + 1, phi3 = phi2/H - 1/2, and divided differences a, b of the last three D over r0 = h1/h, r1 = h2/h,
 *   x' = e^-H x + (1 - e^-H) D + phi2 (a + (a - b) r0/(r0 + r1)) - phi3 (a - b)/(r0 + r1) + noise.
 * The second step has two D: + phi2 (D - D1)/r0. It is `dpmMultistep` of order 3 with the published weight of the bend.
 *
 * Cost: 1 evaluation a step. Draws options.noise on every step that does not end at 0.
 * Source: the third order of Lu et al. 2022 (arXiv:2211.01095) on the SDE, as in k-diffusion.
 */
export function dpmpp3mSde(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  options: SdeOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  return dpmMultistep(denoise, x, sigmas, {
    ...options,
    order: 3,
    algorithm: "sde-dpmsolver++",
    solver: "heun",
    bend: "published",
    lowerOrderFinal: false,
  });
}
