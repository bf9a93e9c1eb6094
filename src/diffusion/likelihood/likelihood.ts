import { UsageError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import { rowSize, sizeOf } from "../../base/tensor.ts";
import type { Sigmas } from "../sigmas.ts";
import { karras } from "../sigmas.ts";
import { type Curvature, coordinateDirections, randomDirections } from "./jacobian.ts";
import { type Visit, adaptivePath, heunPath } from "./path.ts";

export interface LikelihoodOptions {
  /** The noise level that the points are taken to have: the density is that of data with this noise. Default 0.002. */
  readonly sigmaMin?: number;
  /** Where the path ends and `prior` is asked. Default 80. */
  readonly sigmaMax?: number;
  /** Heun's method in so many steps, a whole number from 1; absent: adaptive steps to rtol and atol. */
  readonly steps?: number;
  /** Spacing of Heun's steps: equal in sigma^(1/rho). Default 7. */
  readonly rho?: number;
  /** Tolerances of an adaptive step, relative and absolute. Default 1e-5. */
  readonly rtol?: number;
  readonly atol?: number;
  /** "exact": the trace of the Jacobian; "hutchinson": an unbiased estimate. Default exact up to 16 dimensions. */
  readonly divergence?: "exact" | "hutchinson";
  /** Random directions of the estimate, the same along the whole path. Default 1. */
  readonly probes?: number;
  /** What they are made of. Default "rademacher" (signs), which has the smaller variance. */
  readonly probe?: "rademacher" | "normal";
  /** Row i's directions come from seeds[i]. Default 0, 1, 2, ... */
  readonly seeds?: readonly number[];
  /** Log density of each row at sigmaMax. Default: of N(0, sigmaMax^2), right where the data is narrow and centred beside it. */
  readonly prior?: (x: Tensor, sigmaMax: number) => ArrayLike<number>;
  /** Width of the bins of discrete data, such as 2/256 for bytes over [-1, 1]: bits are then of bins. Default 1, a density. */
  readonly binWidth?: number;
}

export interface Likelihood {
  /** log p of each row, in nats, of all its dimensions together. */
  readonly nats: Float64Array;
  /** -log2 p of each row over its dimensions, plus -log2 binWidth. */
  readonly bitsPerDimension: Float64Array;
  /** Where the path of each row ends, at sigmaMax. */
  readonly latent: Tensor;
  /** Places on the path where the prediction and its divergence were asked for. */
  readonly visits: number;
}

/**
 * Log-likelihood by the probability-flow ODE dx/dsigma = (x - D)/sigma, followed from sigmaMin up to sigmaMax:
 *   log p(x; sigmaMin) = log prior(x(sigmaMax)) + integral over ln sigma of (d - tr dD/dx),   d dimensions.
 * x0 is [n, ...dims]. The path is of order 5 with adaptive steps, as short as the worst row of the batch needs, or Heun's with
 * fixed ones.
 *
 * Cost: at each place one prediction and d directions of the Jacobian, or `probes` of them. Throws UsageError on options out of range.
 * Source: Song et al. 2021 (arXiv:2011.13456), section 4.3 and appendix D; the estimate: Hutchinson 1990, Grathwohl et al. 2019
 * (arXiv:1810.01367).
 */
export async function logLikelihood(
  curvature: Curvature,
  x0: Tensor,
  options: LikelihoodOptions = {},
): Promise<Likelihood> {
  const { sigmaMin = 0.002, sigmaMax = 80, steps, rho = 7, rtol = 1e-5, atol = 1e-5, binWidth = 1 } = options;
  if (!(steps === undefined || (Number.isInteger(steps) && steps >= 1)))
    throw new UsageError(`steps of a likelihood is a whole number from 1, got ${steps}`);
  checkOptions({ sigmaMin, sigmaMax, rtol, atol, binWidth });
  const d = rowSize(x0);
  const divergence = divergenceOf(curvature, x0.shape, options);
  let visits = 0;
  const visit: Visit = (x, sigma) => (visits++, divergence(x, sigma));

  const start: Tensor = { data: Float64Array.from(x0.data), shape: x0.shape };
  const { x, gained } =
    steps === undefined
      ? await adaptivePath(visit, start, [sigmaMin, sigmaMax], { rtol, atol })
      : await heunPath(
          visit,
          start,
          ascending(karras({ steps: steps + 1, min: sigmaMin, max: sigmaMax, rho })),
        );

  const prior = (options.prior ?? centredNormal)(x, sigmaMax);
  const nats = gained.map((value, row) => value + prior[row]);
  const bitsPerDimension = nats.map((value) => -value / (d * Math.LN2) - Math.log2(binWidth));
  return { nats, bitsPerDimension, latent: x, visits };
}

/** The prediction and d - tr J of each row, exactly or estimated. */
function divergenceOf(curvature: Curvature, shape: readonly number[], options: LikelihoodOptions): Visit {
  const d = sizeOf(shape.slice(1));
  const { divergence = d <= 16 ? "exact" : "hutchinson", probes = 1, probe = "rademacher" } = options;
  const { seeds = Array.from({ length: shape[0] }, (_, i) => i) } = options;
  if (!(Number.isInteger(probes) && probes >= 1))
    throw new UsageError(`probes is a whole number from 1, got ${probes}`);
  const isExact = divergence === "exact";
  const directions = isExact ? coordinateDirections(shape) : randomDirections(shape, probes, seeds, probe);
  const weight = isExact ? 1 : 1 / probes;
  return async (x, sigma) => {
    const { denoised, products } = await curvature(x, sigma, directions);
    const gain = products[0].map((_, row) => d - weight * products.reduce((sum, one) => sum + one[row], 0));
    return { denoised, gain };
  };
}

/** log N(x; 0, sigma^2 I) of each row. */
function centredNormal(x: Tensor, sigma: number): Float64Array {
  const d = rowSize(x);
  const out = new Float64Array(x.shape[0]).fill(-(d / 2) * Math.log(2 * Math.PI * sigma * sigma));
  for (let i = 0; i < x.data.length; i++) out[Math.floor(i / d)] -= (x.data[i] / sigma) ** 2 / 2;
  return out;
}

/** The levels above 0 of a descending grid, turned round. */
const ascending = (sigmas: Sigmas): Sigmas => sigmas.filter((sigma) => sigma > 0).reverse();

function checkOptions(values: {
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  readonly rtol: number;
  readonly atol: number;
  readonly binWidth: number;
}): void {
  for (const [name, value] of Object.entries(values)) {
    if (!(value > 0 && Number.isFinite(value)))
      throw new UsageError(`${name} of a likelihood is a number above 0, got ${value}`);
  }
  if (!(values.sigmaMin < values.sigmaMax)) {
    throw new UsageError(
      `a likelihood goes from sigmaMin up to sigmaMax, got ${values.sigmaMin} and ${values.sigmaMax}`,
    );
  }
}
