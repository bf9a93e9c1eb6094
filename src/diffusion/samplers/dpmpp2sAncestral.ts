import type { Tensor } from "../../base/tensor.ts";
import { axpby } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { type EulerAncestralOptions, ancestralSplit } from "./eulerAncestral.ts";
import { addNoise, eulerStep } from "./sampler.ts";
import type { Step } from "./sampler.ts";

/**
 * DPM-Solver++(2S) to a noise level below the next one, then fresh noise up to it. Order 2, in
 * the law of a Gaussian where there is noise. With h = ln(sigma / down) and the middle m = sqrt(sigma down),
 *   x_m = (m/sigma) x + (1 - e^(-h/2)) D,   x' = (down/sigma) x + (1 - e^-h) D(x_m; m) + up noise.
 *
 * Cost: 2 evaluations a step, 1 on a step to 0. Draws options.noise on every step that does not end at 0.
 * Source: Lu et al. 2022 (arXiv:2211.01095), Algorithm 1 with r = 1/2; ancestral as in k-diffusion.
 */
export async function* dpmpp2sAncestral(
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
      const between = axpby(middle / sigma, x, 1 - middle / sigma, denoised);
      const halfway = await denoise(between, middle, index);
      x = axpby(down / sigma, x, 1 - down / sigma, halfway);
    }
    x = addNoise(x, up * noiseScale, index, noise, { from: sigma, to: next });
  }
  return x;
}
