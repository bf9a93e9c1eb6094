import type { Tensor } from "../../base/tensor.ts";
import { axpby, scale } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { addNoise, slope } from "./sampler.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface LcmOptions extends SamplerOptions {
  /**
   * What is drawn anew in every step. "noise": the noise, and the predicted data stays. "data": the data, and the predicted noise stays,
   * x' = noise + sigma' (x - D)/sigma, which is what the rule of diffusers comes to for a flow whose times were inverted. Default "noise".
   */
  readonly renews?: "noise" | "data";
}

/**
 * Multistep consistency sampling: the prediction is taken for a sample of the data and gets fresh noise,
 *   x' = D(x; sigma) + sigma' noise.
 * It is made for networks that predict the end of the path from x (consistency models, LCM): their samples follow the data after any
 * number of steps. With an ordinary denoiser, which predicts a mean, the samples keep too little spread however many the steps.
 *
 * The same rule in flow time, (1 - t') (x - t velocity) + t' noise, is known as stochastic sampling of flow matching.
 *
 * Cost: 1 evaluation a step. Draws options.noise on every step that does not end at 0.
 * Source: Song et al. 2023 (arXiv:2303.01469), Algorithm 1; Luo et al. 2023 (arXiv:2310.04378).
 */
export async function* lcm(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { renews = "noise", noise }: LcmOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    const span = { from: sigma, to: next };
    x =
      renews === "noise"
        ? addNoise(axpby(0, x, 1, denoised), next, index, noise, span)
        : addNoise(scale(next, slope(x, denoised, sigma)), 1, index, noise, span);
  }
  return x;
}
