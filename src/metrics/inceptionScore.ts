/** The Inception score (Salimans et al. 2016, arXiv:1606.03498): sure of each sample's class, and of many classes. */
import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import type { ExtractorOption, Matrix, Measured } from "./features.ts";
import { matrix, measured } from "./features.ts";

export interface InceptionScore extends Measured {
  /** Mean and standard deviation (divided by their number) over the blocks. Between 1 and the number of classes. */
  readonly mean: number;
  readonly std: number;
  readonly perSplit: readonly number[];
}

/**
 * exp(mean over rows of sum_c p log(p / mean p)), p = softmax(logits [n, classes]), of each of `splits` consecutive blocks
 * of floor(n / splits) rows (default 10; rows left over are dropped). It looks at no reference: comparing values across
 * classifiers, or with fewer samples, says nothing. `extractor` is the classifier's name.
 * Throws UsageError if there are fewer rows than blocks, or logits are not finite.
 */
export function inceptionScore(
  logits: Tensor,
  options: ExtractorOption & { readonly splits?: number },
): InceptionScore {
  const { splits = 10, extractor } = options;
  if (!Number.isInteger(splits) || splits < 1)
    throw new UsageError(`splits must be a positive integer, got ${splits}`);
  const z = matrix(logits, "logits", splits);
  const size = Math.floor(z.n / splits);
  const perSplit = Array.from({ length: splits }, (_, i) => blockScore(z, i * size, (i + 1) * size));
  const mean = perSplit.reduce((a, b) => a + b, 0) / splits;
  const std = Math.sqrt(perSplit.reduce((a, b) => a + (b - mean) ** 2, 0) / splits);
  return { ...measured("Inception score", extractor, size * splits, 0), mean, std, perSplit };
}

function blockScore(z: Matrix, start: number, end: number): number {
  const classes = z.d;
  const marginal = new Float64Array(classes);
  let negativeEntropy = 0; // sum over rows and classes of p log p
  for (let i = start; i < end; i++) {
    const row = z.data.subarray(i * classes, (i + 1) * classes);
    const largest = row.reduce((a, b) => Math.max(a, b));
    const logSum = largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0));
    for (let c = 0; c < classes; c++) {
      const p = Math.exp(row[c] - logSum);
      marginal[c] += p / (end - start);
      negativeEntropy += p * (row[c] - logSum);
    }
  }
  // mean over rows of sum p log(mean p) is sum of (mean p) log(mean p).
  const crossTerm = marginal.reduce((sum, q) => (q > 0 ? sum + q * Math.log(q) : sum), 0);
  return Math.exp(negativeEntropy / (end - start) - crossTerm);
}
