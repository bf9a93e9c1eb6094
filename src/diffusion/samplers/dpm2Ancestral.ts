import type { Tensor } from "../../base/tensor.ts";
import { axpy } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { type EulerAncestralOptions, ancestralSplit } from "./eulerAncestral.ts";
import { addNoise, eulerStep, slope } from "./sampler.ts";
import type { Step } from "./sampler.ts";

/**
 * DPM-Solver-2 to a noise level below the next one, then fresh noise up to it. Order 2 in the law of a Gaussian.
 *
 * Cost: 2 evaluations a step, 1 on the step to 0. Draws options.noise on every step that does not end at 0.
 * Source: Lu et al. 2022 (arXiv:2206.00927) for the step; known as "DPM2 a" from k-diffusion.
 */
export async function* dpm2Ancestral(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { eta = 1, noiseScale = 1, noise }: EulerAncestralOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    const { down, up } = ancestralSplit(sigma, next, eta);
    if (down === 0) {
      x = eulerStep(x, denoised, sigma, 0);
    } else {
      const middle = Math.sqrt(sigma * down);
      const between = eulerStep(x, denoised, sigma, middle);
      const d = slope(between, await denoise(between, middle, index), middle);
      x = axpy(down - sigma, d, x);
    }
    x = addNoise(x, up * noiseScale, index, noise, { from: sigma, to: next });
  }
  return x;
}
