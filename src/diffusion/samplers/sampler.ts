import { UsageError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, map } from "../../base/tensor.ts";
import type { Evaluate, Prediction } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";

/** What a sampler yields once a step: the sample, its noise level and the prediction of x0 made there. */
export interface Step {
  /** Number of the step, from 0. */
  readonly index: number;
  /** Noise level of x: sigmas[index], or above it where churn added noise. */
  readonly sigma: number;
  /** Noise level that the step goes to: sigmas[index + 1]. */
  readonly next: number;
  /** The sample before the step. */
  readonly x: Tensor;
  /** D(x; sigma), the (guided) prediction of x0. */
  readonly denoised: Prediction;
}

/** What a noise is for. */
export interface NoiseSpan {
  /** The noise levels between which it is added: what a Brownian path is asked for. */
  readonly from: number;
  readonly to: number;
  /** 0 for a step's only or first noise, 1 for its second. Default 0. */
  readonly part?: number;
}

/**
 * Standard normal noise of step `index`, of the given shape. Called at most once a step and part, so a step owns its noise.
 * `span` says between which noise levels it is added; most noises need not know.
 */
export type Noise = (index: number, shape: readonly number[], span: NoiseSpan) => Tensor;

/** What every sampler takes. */
export interface SamplerOptions {
  /** Needed by whatever adds noise: ddpm, euler-ancestral, ddim with eta, euler and heun with churn. */
  readonly noise?: Noise;
}

/**
 * A sampler: from x with noise of standard deviation sigmas[0] to a sample at the last of sigmas, as an async generator.
 * It yields each step after its first evaluation and returns the sample. Stopping early (break, return) is safe. The array
 * kind of x (Float32Array or Float64Array) is kept. A grid that does not end at 0 gives a sample that is still noisy.
 */
export type Sample<O extends SamplerOptions = SamplerOptions> = (
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  options?: O,
) => AsyncGenerator<Step, Tensor, void>;

/**
 * One Euler step of dx/dsigma = (x - D) / sigma: (to / from) x + (1 - to / from) D. Exactly D for to = 0.
 * Where the prediction says whose noise is put back, D + (to / from) (x - renoise) (CFG++, arXiv:2406.08070).
 */
export function eulerStep(x: Tensor, denoised: Prediction, from: number, to: number): Tensor {
  const { renoise } = denoised;
  if (renoise && to > 0) return axpy(to / from, axpy(-1, renoise, x), denoised);
  return axpby(to / from, x, 1 - to / from, denoised);
}

/**
 * The mean of a step to level `to` whose noise has that deviation (one, or one per element), moved where the prediction says: mean + deviation^2 * shift.
 * A step to 0 keeps its mean. Throws UsageError for a step without noise to a level above 0, which could not be moved at all.
 */
export async function shiftedMean(
  mean: Tensor,
  { meanShift }: Prediction,
  to: number,
  deviation: number | Tensor,
): Promise<Tensor> {
  if (!meanShift || to === 0) return mean;
  if (deviation === 0) {
    throw new UsageError(
      "form=mean-shift moves the mean of a step by the variance of its noise, and this step adds none: give the sampler its noise (eta above 0), or take form=score",
    );
  }
  const shift = await meanShift(mean, to);
  if (typeof deviation === "number") return axpy(deviation * deviation, shift, mean);
  return map((value, i) => value + deviation.data[i] ** 2 * shift.data[i], mean);
}

/** dx/dsigma = (x - D) / sigma */
export function slope(x: Tensor, denoised: Tensor, sigma: number): Tensor {
  return axpby(1 / sigma, x, -1 / sigma, denoised);
}

/** x + deviation * noise of the step; x itself, and no noise drawn, where the deviation is 0. */
export function addNoise(
  x: Tensor,
  deviation: number,
  index: number,
  noise: Noise | undefined,
  span: NoiseSpan,
): Tensor {
  if (deviation === 0) return x;
  if (!noise) {
    throw new UsageError(
      "this sampler adds noise: give it as options.noise, a function (index, shape) => tensor of standard normal numbers",
    );
  }
  return axpby(1, x, deviation, noise(index, x.shape, span));
}
