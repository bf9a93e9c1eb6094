import { philox } from "../base/philox.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Mixture } from "../diffusion/oracles/mixture.ts";
import { type Truth2d, metrics2d, truth2d } from "../metrics/index.ts";

/** Seed of the exact samples that generated ones are compared with: no sample's seed comes near it. */
const TRUTH_SEED = 2 ** 40;
/** Exact samples for the outliers' threshold. */
const THRESHOLD_SAMPLES = 65_536;

/**
 * Log densities below this count as this. A sample thrown far out by a large weight has a log density of minus millions,
 * and one such sample would be all that a mean over 8,192 says.
 */
export const LOG_DENSITY_FLOOR = -100;

/** The truth of a known density: `count` fresh exact samples, and the 1 % quantile of log density. */
export function planeTruth(mixture: Mixture, count: number): Truth2d {
  const logDensity = (points: Tensor): Float64Array =>
    mixture.logDensity(points, 0).map((value) => Math.max(value, LOG_DENSITY_FLOOR));
  const exact = mixture.sample(philox(TRUTH_SEED, 0), count);
  const thresholdSamples = mixture.sample(philox(TRUTH_SEED, 1), THRESHOLD_SAMPLES);
  return truth2d(logDensity, exact, { thresholdSamples });
}

/** All 2-D metrics by name, and which samples are outliers. */
export function measurePlane(
  x: Tensor,
  truth: Truth2d,
): { readonly metrics: Record<string, number>; readonly outliers: readonly boolean[] } {
  const { meanLogDensity, outlierRate, energyDistance, recall, precision } = metrics2d(x, truth);
  const outliers = Array.from(truth.logDensity(x), (value) => value < truth.outlierBelow);
  return { metrics: { meanLogDensity, outlierRate, energyDistance, recall, precision }, outliers };
}
