/**
 * The kernel distance of Bińkowski et al. 2018 (arXiv:1801.01401; "KID" with an Inception network's features): a squared
 * maximum mean discrepancy with a cubic kernel. Its unbiased estimate does not depend on n, so it suits small sets.
 */
import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Discrepancy, KernelRow } from "./discrepancy.ts";
import { discrepancy } from "./discrepancy.ts";
import type { ExtractorOption, Matrix, Measured } from "./features.ts";
import { matrices, measured } from "./features.ts";
import { dotProducts } from "./pairs.ts";

export interface KernelDistance extends Measured, Discrepancy {}

/** Row numbers drawn from each set, without repetition. */
export interface Subset {
  readonly samples: ArrayLike<number>;
  readonly reference: ArrayLike<number>;
}

export interface KernelDistanceOverSubsets extends Measured {
  /** Unbiased value of each subset, their mean, and their standard deviation (divided by their number). */
  readonly perSubset: readonly number[];
  readonly mean: number;
  readonly std: number;
}

/**
 * The squared discrepancy of `samples` [n, d] and `reference` [m, d] with k(x, y) = (x.y / d + 1)^3.
 * Throws UsageError for fewer than 2 rows, different widths or values that are not finite. Cost: (n + m)^2 d / 2.
 */
export function kernelDistance(samples: Tensor, reference: Tensor, options: ExtractorOption): KernelDistance {
  const { x, y } = matrices(samples, reference, 2);
  return { ...measured("kernel distance", options.extractor, x.n, y.n), ...discrepancy(x, y, cubic) };
}

/** The unbiased kernel distance on each of `subsets`, whose spread tells how sure the mean is. Throws as kernelDistance. */
export function kernelDistanceOverSubsets(
  samples: Tensor,
  reference: Tensor,
  subsets: readonly Subset[],
  options: ExtractorOption,
): KernelDistanceOverSubsets {
  if (subsets.length === 0) throw new UsageError("at least one subset is needed: pass drawSubsets(...)");
  const { x, y } = matrices(samples, reference, 2);
  const perSubset = subsets.map(
    (subset) => discrepancy(pick(x, subset.samples), pick(y, subset.reference), cubic).unbiased,
  );
  const mean = perSubset.reduce((a, b) => a + b, 0) / perSubset.length;
  const std = Math.sqrt(perSubset.reduce((a, b) => a + (b - mean) ** 2, 0) / perSubset.length);
  return { ...measured("kernel distance", options.extractor, x.n, y.n), perSubset, mean, std };
}

/** `count` random subsets of `size` rows of each set of n and m rows, drawn by `stream` (usual: 100 of at most 1,000). */
export function drawSubsets(
  stream: { permutation(n: number): Int32Array },
  { n, m, size, count }: { n: number; m: number; size: number; count: number },
): Subset[] {
  if (size > Math.min(n, m))
    throw new UsageError(`subsets of ${size} rows need sets of at least ${size}, got ${n} and ${m}`);
  return Array.from({ length: count }, () => ({
    samples: stream.permutation(n).slice(0, size),
    reference: stream.permutation(m).slice(0, size),
  }));
}

const cubic: KernelRow = (x, i, y, start, end, out) => {
  dotProducts(x, i, y, start, end, out);
  for (let j = 0; j < end - start; j++) {
    const base = out[j] / x.d + 1;
    out[j] = base * base * base;
  }
};

function pick(x: Matrix, indices: ArrayLike<number>): Matrix {
  if (indices.length < 2) throw new UsageError(`a subset needs at least 2 rows, got ${indices.length}`);
  const data = new Float64Array(indices.length * x.d);
  for (let row = 0; row < indices.length; row++) {
    const index = indices[row];
    if (!(Number.isInteger(index) && index >= 0 && index < x.n)) {
      throw new UsageError(`a subset names row ${index}, and rows are 0 to ${x.n - 1}`);
    }
    data.set(x.data.subarray(index * x.d, (index + 1) * x.d), row * x.d);
  }
  return { data, n: indices.length, d: x.d };
}
