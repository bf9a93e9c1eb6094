import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, sub } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { stepWeights } from "./dpmUpdate.ts";
import type { EulerAncestralOptions } from "./eulerAncestral.ts";
import { ancestralSplit } from "./eulerAncestral.ts";
import { addNoise, eulerStep } from "./sampler.ts";
import type { Step } from "./sampler.ts";

/**
 * RES multistep: the exponential integrator of order 2 on the prediction of x0. D is taken to be linear in lambda = -ln sigma through the last
 * two predictions and integrated exactly. With (down, up) the ancestral split of the step, h = ln(sigma/down) and r = (h of the last step)/h,
 *   x' = e^-h x + h phi_1(-h) D + h phi_2(-h) (D - D_previous)/r + up noise,     phi_k as in `phi`
 * The first step and the step to 0 are of order 1 (D alone). With eta 0 it is `dpmMultistep` with solver heun; with eta 1 that with
 * algorithm sde-dpmsolver++, for the way to the lower level is also the distance over which noise makes D change.
 *
 * Order 2, in the law of a Gaussian where there is noise. Cost: 1 evaluation a step. With eta above 0 it draws options.noise on every step
 * that does not end at 0.
 * Source: Zhang et al. 2023 (arXiv:2308.02157), second order, with the last prediction for the second stage; as in ComfyUI's res_multistep.
 */
export async function* resMultistep(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { eta = 0, noiseScale = 1, noise }: EulerAncestralOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  let previous: { readonly denoised: Tensor; readonly h: number } | undefined;
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    const { down, up } = ancestralSplit(sigma, next, eta);
    const h = Math.log(sigma / down);
    if (down === 0 || previous === undefined) {
      x = eulerStep(x, denoised, sigma, down);
    } else {
      const { keep, constant, linear } = stepWeights("dpmsolver++", sigma, down, 0);
      x = axpby(keep, x, constant, denoised);
      x = axpy((linear * h) / previous.h, sub(denoised, previous.denoised), x);
    }
    x = addNoise(x, up * noiseScale, index, noise, { from: sigma, to: next });
    previous = { denoised, h };
  }
  return x;
}

/** `resMultistep` with fresh noise in every step, the posterior's by default (eta 1). */
export function resMultistepAncestral(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { eta = 1, ...options }: EulerAncestralOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  return resMultistep(denoise, x, sigmas, { ...options, eta });
}
