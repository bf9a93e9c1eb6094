import { UsageError } from "../../base/errors.ts";
import type { Stream } from "../../base/philox.ts";
import type { FloatArray, Tensor } from "../../base/tensor.ts";
import { sameKind } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import { component, covarianceOf, fromAxes } from "./component.ts";
import type { Component, Covariance } from "./component.ts";
import { generalKernel } from "./kernel.ts";
import type { Kernel } from "./kernel.ts";
import { planarKernel } from "./planarKernel.ts";
import { pullBackRow } from "./pullback.ts";

/** A Gaussian mixture as people give it: lists of the same length. Give exactly one of stds and covariances. */
export interface MixtureSpec {
  /** Positive; divided by their sum. Default: equal. */
  readonly weights?: ArrayLike<number>;
  /** [count, d]; a number is a point in one dimension. */
  readonly means: readonly (number | readonly number[])[];
  /** One per component: the standard deviation of every axis, or one per axis. */
  readonly stds?: readonly (number | readonly number[])[];
  /** One symmetric [d, d] matrix per component. */
  readonly covariances?: readonly Covariance[];
}

/**
 * A Gaussian mixture as an exact oracle: what a perfect network would predict for x = x0 + sigma * noise, x0 from the mixture.
 *
 * x is [n, d]; sigma >= 0 is shared by its rows. Results are as exact as float64 allows and keep the array kind of x. Every
 * function throws UsageError where x is not [n, d]. At sigma = 0 the covariances must be regular.
 */
export interface Mixture {
  readonly dimensions: number;
  /** Sum to 1. */
  readonly weights: Float64Array;
  readonly components: readonly Component[];
  /** log p(x; sigma) of each row, p(x; sigma) = sum_k w_k N(x; m_k, C_k + sigma^2 I). */
  logDensity(x: Tensor, sigma: number): Float64Array;
  /** Gradient of log p(x; sigma), [n, d]. */
  score(x: Tensor, sigma: number): Tensor;
  /** Probability of each component given x, [n, count]. */
  posterior(x: Tensor, sigma: number): Tensor;
  /** E[x0 | x] = x + sigma^2 score, [n, d]; exact to about 1e-15 times |x|. */
  denoised(x: Tensor, sigma: number): Tensor;
  /** J' v, J the Jacobian of `denoised` at each row of x; v and the result are [n, d]. J is symmetric. */
  pullback(x: Tensor, sigma: number, v: Tensor): Tensor;
  /** `denoised` as samplers call it. */
  readonly denoise: Evaluate;
  /** n samples of p(x; sigma), [n, d] in float64; sigma defaults to 0, the data. */
  sample(stream: Stream, n: number, sigma?: number): Tensor;
  /** One point at a time, for loops of one's own. */
  readonly kernel: Kernel;
}

/** The exact oracle of a Gaussian mixture in any dimension. Throws UsageError where the lists do not fit or a value is out of range. */
export function gaussianMixture({ weights, means, stds, covariances }: MixtureSpec): Mixture {
  const count = means.length;
  if (count === 0) throw new UsageError("a mixture has at least one component");
  for (const [name, list] of Object.entries({ weights, stds, covariances })) {
    if (list && list.length !== count)
      throw new UsageError(`a mixture of ${count} means takes ${count} ${name}, got ${list.length}`);
  }
  const components = means.map((mean, k) =>
    component({ mean, std: stds?.[k], covariance: covariances?.[k] }),
  );
  return mixtureOf(weights ?? new Float64Array(count).fill(1), components);
}

/** Several mixtures as one, the i-th with probability priors[i] (divided by their sum; default: equal). */
export function joinMixtures(
  mixtures: readonly Mixture[],
  priors: ArrayLike<number> = mixtures.map(() => 1),
): Mixture {
  if (priors.length !== mixtures.length)
    throw new UsageError(`${mixtures.length} mixtures take ${mixtures.length} priors, got ${priors.length}`);
  return mixtureOf(
    mixtures.flatMap((mixture, i) => Array.from(mixture.weights, (weight) => priors[i] * weight)),
    mixtures.flatMap((mixture) => mixture.components),
  );
}

/** The mixture of components that are already in their axes. */
export function mixtureOf(weights: ArrayLike<number>, components: readonly Component[]): Mixture {
  const d = components[0].mean.length;
  if (components.some((c) => c.mean.length !== d))
    throw new UsageError("all components of a mixture have the same dimension");
  const normalised = normalise(weights);
  const general = generalKernel(normalised, components);
  const kernel = d === 2 ? planarKernel(normalised, components) : general;

  /** A tensor [n, width] of what `compute` gives for each row. */
  function rows(x: Tensor, width: number, compute: (row: number) => ArrayLike<number>): Tensor {
    checkPoints(x, d);
    const data = sameKind(x.data, x.shape[0] * width);
    for (let row = 0; row < x.shape[0]; row++) data.set(compute(row), row * width);
    return { data, shape: [x.shape[0], width] };
  }

  const mixture: Mixture = {
    dimensions: d,
    weights: normalised,
    components,
    kernel,
    logDensity(x, sigma) {
      checkPoints(x, d);
      return Float64Array.from({ length: x.shape[0] }, (_, row) => {
        kernel.evaluate(x.data, row * d, sigma);
        return kernel.logDensity;
      });
    },
    score: (x, sigma) => {
      return rows(x, d, (row) => {
        kernel.evaluate(x.data, row * d, sigma);
        return kernel.score;
      });
    },
    posterior: (x, sigma) => {
      return rows(x, components.length, (row) => {
        general.evaluate(x.data, row * d, sigma);
        return general.posterior;
      });
    },
    denoised: (x, sigma) => {
      const out = new Float64Array(d);
      return rows(x, d, (row) => {
        denoiseRow(mixture, x, row, sigma, out);
        return out;
      });
    },
    pullback: (x, sigma, v) => {
      checkPoints(v, d);
      const [cotangent, out] = [new Float64Array(d), new Float64Array(d)];
      return rows(x, d, (row) => {
        cotangent.set(v.data.subarray(row * d, (row + 1) * d));
        pullBackRow(components, general, x, row * d, sigma, cotangent, out);
        return out;
      });
    },
    denoise: (x, sigma) => new Promise((resolve) => resolve(mixture.denoised(x, sigma))),
    sample: (stream, n, sigma = 0) => sample(normalised, components, stream, n, sigma),
  };
  return mixture;
}

/**
 * Writes the score at row i of x under noise sigmas[i] to out, for training where every row has its own noise level.
 *
 * x and out are [sigmas.length, d], flat. Throws UsageError where the lengths do not fit.
 */
export function scoreRows(mixture: Mixture, x: FloatArray, sigmas: FloatArray, out: FloatArray): void {
  const { dimensions: d, kernel } = mixture;
  if (x.length !== sigmas.length * d || out.length !== x.length) {
    throw new UsageError(
      `${sigmas.length} sigmas take ${sigmas.length * d} values of x and of out, got ${x.length} and ${out.length}`,
    );
  }
  for (let row = 0; row < sigmas.length; row++) {
    kernel.evaluate(x, row * d, sigmas[row]);
    out.set(kernel.score, row * d);
  }
}

/** Writes E[x0 | x] = x + sigma^2 score at one row of x to out, [d]. */
export function denoiseRow(
  { dimensions: d, kernel }: Mixture,
  x: Tensor,
  row: number,
  sigma: number,
  out: Float64Array,
): void {
  kernel.evaluate(x.data, row * d, sigma);
  for (let i = 0; i < d; i++) out[i] = x.data[row * d + i] + sigma * sigma * kernel.score[i];
}

/** Mean [d] and covariance [d, d] (row-major) of the mixture's data. */
export function moments({ dimensions: d, weights, components }: Mixture): {
  mean: Float64Array;
  covariance: Float64Array;
} {
  const mean = new Float64Array(d);
  const covariance = new Float64Array(d * d);
  components.forEach((c, k) => c.mean.forEach((value, i) => (mean[i] += weights[k] * value)));
  components.forEach((c, k) => {
    covarianceOf(c).forEach((within, ij) => {
      const [i, j] = [Math.floor(ij / d), ij % d];
      covariance[ij] += weights[k] * (within + (c.mean[i] - mean[i]) * (c.mean[j] - mean[j]));
    });
  });
  return { mean, covariance };
}

/** Throws UsageError unless x is [n, d]. */
export function checkPoints(x: Tensor, d: number): void {
  if (x.shape.length !== 2 || x.shape[1] !== d) {
    throw new UsageError(`this oracle takes points of shape [n, ${d}], got [${x.shape.join(", ")}]`);
  }
}

/** Positive numbers divided by their sum. Throws UsageError where one is not positive. */
export function normalise(weights: ArrayLike<number>): Float64Array {
  const out = Float64Array.from(weights);
  const total = out.reduce((sum, weight) => sum + weight, 0);
  if (!out.every((weight) => weight > 0 && Number.isFinite(weight))) {
    throw new UsageError(
      `weights are numbers above 0, got ${String(out.find((weight) => !(weight > 0 && Number.isFinite(weight))))}`,
    );
  }
  return out.map((weight) => weight / total);
}

function sample(
  weights: Float64Array,
  components: readonly Component[],
  stream: Stream,
  n: number,
  sigma: number,
): Tensor {
  const d = components[0].mean.length;
  const data = new Float64Array(n * d);
  const along = new Float64Array(d);
  const offset = new Float64Array(d);
  const upTo = cumulative(weights);
  for (let row = 0; row < n; row++) {
    const chosen = components[firstAbove(upTo, stream.uniform())];
    for (let j = 0; j < d; j++) along[j] = Math.sqrt(chosen.variances[j] + sigma * sigma) * stream.normal();
    fromAxes(chosen, along, offset);
    for (let i = 0; i < d; i++) data[row * d + i] = chosen.mean[i] + offset[i];
  }
  return { data, shape: [n, d] };
}

function cumulative(weights: Float64Array): Float64Array {
  let sum = 0;
  return weights.map((weight) => (sum += weight));
}

/** Index of the first value above u, the last index if there is none (rounding). */
function firstAbove(ascending: Float64Array, u: number): number {
  let [low, high] = [0, ascending.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] > u) high = middle;
    else low = middle + 1;
  }
  return low;
}
