import type { Tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { addChurn } from "./churn.ts";
import type { ChurnOptions } from "./churn.ts";
import { type KeptOutput, withKeptOutput } from "./keptOutput.ts";
import { eulerStep } from "./sampler.ts";
import type { Step } from "./sampler.ts";

export interface EulerOptions extends ChurnOptions {
  /**
   * "new": the network sees the churned sample, as in the paper. Else it sees the sample before, and its output, of the kind named here,
   * is read at the churned one, as in diffusers. Default "new".
   */
  readonly churnOutput?: "new" | KeptOutput;
  /** Standard deviation of the data, above 0, for churnOutput "edm". Default 0.5. */
  readonly sigmaData?: number;
}

/**
 * Euler's method on the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma. Order 1. The same as DDIM with eta 0, and as Euler's
 * method in flow time: all are exact where D and eps stay.
 *
 * Cost: 1 evaluation a step.
 * Source: Karras et al. 2022 (arXiv:2206.00364), Algorithm 2 without its correction.
 */
export async function* euler(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { churnOutput = "new", sigmaData = 0.5, ...options }: EulerOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    if (churnOutput === "new") {
      const hat = addChurn(x, sigma, index, sigmas.length - 1, options);
      const denoised = await denoise(hat.x, hat.sigma, index);
      yield { index, sigma: hat.sigma, next, x: hat.x, denoised };
      x = eulerStep(hat.x, denoised, hat.sigma, next);
    } else {
      const denoised = await denoise(x, sigma, index);
      yield { index, sigma, next, x, denoised };
      const hat = addChurn(x, sigma, index, sigmas.length - 1, options);
      const isChurned = hat.sigma > sigma;
      const there = isChurned
        ? withKeptOutput(churnOutput, denoised, { x, sigma }, hat, sigmaData)
        : denoised;
      x = eulerStep(hat.x, there, hat.sigma, next);
    }
  }
  return x;
}
