import type { Tensor } from "../../base/tensor.ts";
import { axpby } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { type EulerAncestralOptions, ancestralSplit } from "./eulerAncestral.ts";
import { addNoise, eulerStep } from "./sampler.ts";
import type { Step } from "./sampler.ts";

export interface DpmppSdeOptions extends EulerAncestralOptions {
  /** Where in a step, in ln sigma, the second evaluation lies: above 0, below 1. Default 1/2. */
  readonly r?: number;
}

/**
 * DPM-Solver++ (SDE): a two-stage method on the reverse SDE, each stage an exact step with an own part of noise. Order 1 in the
 * law of a Gaussian. With m = sigma (sigma'/sigma)^r and the ancestral splits (down, up) of sigma -> m and sigma -> sigma',
 *   x_m = (down/sigma) x + (1 - down/sigma) D + up noise,
 *   x'  = (down/sigma) x + (1 - down/sigma) ((1 - f) D + f D(x_m; m)) + up noise,   f = 1/(2r).
 *
 * Cost: 2 evaluations a step, 1 on the step to 0. Draws two noises on every step that does not end at 0.
 * Source: Lu et al. 2022 (arXiv:2211.01095), section 5; as in k-diffusion, and with the defaults diffusers' DPMSolverSDEScheduler.
 */
export async function* dpmppSde(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { eta = 1, noiseScale = 1, r = 0.5, noise }: DpmppSdeOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  const f = 1 / (2 * r);
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    if (next === 0) return eulerStep(x, denoised, sigma, 0);

    // To the middle.
    const middle = sigma * (next / sigma) ** r;
    const half = ancestralSplit(sigma, middle, eta);
    const mean = axpby(half.down / sigma, x, 1 - half.down / sigma, denoised);
    const between = addNoise(mean, half.up * noiseScale, index, noise, { from: sigma, to: middle });

    // To the end, from the beginning.
    const target = axpby(1 - f, denoised, f, await denoise(between, middle, index));
    const { down, up } = ancestralSplit(sigma, next, eta);
    x = axpby(down / sigma, x, 1 - down / sigma, target);
    x = addNoise(x, up * noiseScale, index, noise, { from: sigma, to: next, part: 1 });
  }
  return x;
}
