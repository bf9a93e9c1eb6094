/** Mean and covariance of features, in one pass over batches of any size, in float64. */
import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import type { ExtractorOption, Matrix } from "./features.ts";
import { matrix } from "./features.ts";

/** What a Fréchet distance needs to know of a set of features. Plain numbers: to store it as JSON, use Array.from. */
export interface FeatureStatistics {
  readonly extractor: string;
  /** Number of samples; at least 2. */
  readonly count: number;
  /** [d] */
  readonly mean: ArrayLike<number>;
  /** [d, d] row-major, divided by count - 1. */
  readonly covariance: ArrayLike<number>;
}

/** Rows that are centred and multiplied together. */
const CHUNK = 512;

/**
 * A running mean and covariance. Each chunk of rows is centred on its own mean, then merged (Chan, Golub and LeVeque 1979):
 *   delta = mean2 - mean1,  mean = mean1 + delta count2 / count,
 *   scatter = scatter1 + scatter2 + delta delta' count1 count2 / count.
 * So a large common offset costs no digits, and parts made by several workers can be merged.
 */
export class RunningStatistics {
  readonly extractor: string;
  readonly dimensions: number;
  private count = 0;
  private readonly mean: Float64Array;
  /** Sum of (x - mean)(x - mean)'; only entries j >= i are kept. */
  private readonly scatter: Float64Array;

  constructor(dimensions: number, options: ExtractorOption) {
    if (!Number.isInteger(dimensions) || dimensions < 1) {
      throw new UsageError(`the number of features must be a positive integer, got ${dimensions}`);
    }
    this.extractor = options.extractor;
    this.dimensions = dimensions;
    this.mean = new Float64Array(dimensions);
    this.scatter = new Float64Array(dimensions * dimensions);
  }

  /** Counts the rows of [n, dimensions] in. Throws UsageError for another width or values that are not finite. */
  add(features: Tensor): void {
    const x = matrix(features, "features", 0);
    if (x.d !== this.dimensions) {
      throw new UsageError(
        `expected ${this.dimensions} features a sample, got ${x.d}: use one extractor throughout`,
      );
    }
    for (let start = 0; start < x.n; start += CHUNK) {
      const rows = Math.min(CHUNK, x.n - start);
      const { mean, scatter } = moments({
        data: x.data.subarray(start * x.d, (start + rows) * x.d),
        n: rows,
        d: x.d,
      });
      this.mergeParts(rows, mean, scatter);
    }
  }

  /** Counts in all that `other` has seen; `other` is left as it is. */
  merge(other: RunningStatistics): void {
    if (other.dimensions !== this.dimensions || other.extractor !== this.extractor) {
      throw new UsageError(
        `cannot merge statistics of ${other.dimensions} features of "${other.extractor}" into ${this.dimensions} of "${this.extractor}"`,
      );
    }
    this.mergeParts(other.count, other.mean, other.scatter);
  }

  /** The statistics so far (copied). Throws UsageError for fewer than two samples. */
  result(): FeatureStatistics & { readonly mean: Float64Array; readonly covariance: Float64Array } {
    if (this.count < 2) {
      throw new UsageError(`a covariance needs at least 2 samples, got ${this.count}: draw more samples`);
    }
    const d = this.dimensions;
    const covariance = new Float64Array(d * d);
    for (let i = 0; i < d; i++) {
      for (let j = i; j < d; j++) {
        covariance[i * d + j] = covariance[j * d + i] = this.scatter[i * d + j] / (this.count - 1);
      }
    }
    return { extractor: this.extractor, count: this.count, mean: this.mean.slice(), covariance };
  }

  private mergeParts(count: number, mean: Float64Array, scatter: Float64Array): void {
    if (count === 0) return;
    const d = this.dimensions;
    const total = this.count + count;
    const delta = mean.map((m, j) => m - this.mean[j]);
    const weight = (this.count * count) / total;
    for (let i = 0; i < d; i++) {
      for (let j = i; j < d; j++) {
        this.scatter[i * d + j] += scatter[i * d + j] + weight * delta[i] * delta[j];
      }
      this.mean[i] += (delta[i] * count) / total;
    }
    this.count = total;
  }
}

/** Mean and covariance of the rows of [n, d], n >= 2. Cost: n d^2 / 2 multiply-adds. */
export function featureStatistics(
  features: Tensor,
  options: ExtractorOption,
): ReturnType<RunningStatistics["result"]> {
  const { d } = matrix(features, "features", 2);
  const running = new RunningStatistics(d, options);
  running.add(features);
  return running.result();
}

/** Mean of the rows and the upper half of the sum of (x - mean)(x - mean)'. */
function moments(x: Matrix): { mean: Float64Array; scatter: Float64Array } {
  const { n, d } = x;
  const mean = new Float64Array(d);
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) mean[j] += x.data[i * d + j] / n;

  // Rows of zeros fill the last group of four.
  const centred = new Float64Array(Math.ceil(n / 4) * 4 * d);
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) centred[i * d + j] = x.data[i * d + j] - mean[j];

  const scatter = new Float64Array(d * d);
  for (let r0 = 0; r0 < centred.length; r0 += 4 * d) {
    const r1 = r0 + d;
    const r2 = r1 + d;
    const r3 = r2 + d;
    for (let i = 0; i < d; i++) {
      const a0 = centred[r0 + i];
      const a1 = centred[r1 + i];
      const a2 = centred[r2 + i];
      const a3 = centred[r3 + i];
      for (let j = i; j < d; j++) {
        scatter[i * d + j] +=
          a0 * centred[r0 + j] + a1 * centred[r1 + j] + a2 * centred[r2 + j] + a3 * centred[r3 + j];
      }
    }
  }
  return { mean, scatter };
}
