import type { Tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { addNoise, eulerStep } from "./sampler.ts";
import type { Step } from "./sampler.ts";
import { takenFor } from "./timesteps.ts";
import type { TimestepOptions, Timesteps } from "./timesteps.ts";

export interface TcdOptions extends TimestepOptions {
  /** Share of a step's end that is renewed (the paper's gamma), 0 to 1: 0 is DDIM, 1 is `lcm`. Default 0.3. */
  readonly eta?: number;
}

/**
 * TCD's strategic stochastic sampling: along the trajectory to a level below the next one, then fresh noise up to it,
 *   y = D + s (x - D)/sigma,   x' = y + sqrt(sigma'^2 - s^2) noise,   s = (1 - eta) sigma'.
 * The level s lies at the time (1 - eta) t'. Where `timesteps` is given, time is counted in them, rounded down; else it is sigma.
 *
 * Made for networks that were distilled to go along the trajectory in one step. With an ordinary denoiser and eta above 0 the samples do
 * not come to follow the data, however many the steps.
 *
 * Cost: 1 evaluation a step. Draws options.noise on every step that does not end at 0, unless eta is 0.
 * Source: Zheng et al. 2024 (arXiv:2402.19159), strategic stochastic sampling.
 */
export async function* tcd(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { eta = 0.3, timesteps, noise }: TcdOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    const { end, below } = timesteps
      ? inTimesteps(timesteps, index + 1, eta)
      : { end: next, below: (1 - eta) * next };
    const deviation = Math.sqrt(end * end - below * below);
    const y = eulerStep(x, denoised, sigma, below);
    x = takenFor(addNoise(y, deviation, index, noise, { from: sigma, to: end }), end, next);
  }
  return x;
}

/** The noise levels of the next timestep, 0 after the last, and of (1 - eta) times it. The product is rounded to float32, as in PyTorch. */
function inTimesteps(
  { values, sigmaOf }: Timesteps,
  next: number,
  eta: number,
): { end: number; below: number } {
  const t = next < values.length ? values[next] : 0;
  return { end: sigmaOf(t), below: sigmaOf(Math.floor(Math.fround(Math.fround(1 - eta) * t))) };
}
