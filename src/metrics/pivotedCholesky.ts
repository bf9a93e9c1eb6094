import { UsageError } from "../base/errors.ts";

/**
 * Rows f_0 ... f_{r-1} of d values with sum_k f_k f_k' = C, for C [d, d] symmetric and positive semi-definite.
 *
 * Each step takes the largest diagonal entry left as the pivot, and stops when none is above rounding (d * 2^-52 times
 * the largest of C), so r is the numerical rank. Throws UsageError if C has values that are not finite or is clearly not
 * positive semi-definite. Cost: r^2 d / 2 multiply-adds.
 * Source: Higham 1990, "Analysis of the Cholesky decomposition of a semi-definite matrix".
 */
export function pivotedCholesky(c: ArrayLike<number>, d: number): Float64Array[] {
  const left = Float64Array.from({ length: d }, (_, i) => c[i * d + i]);
  const tolerance = d * 2 ** -52 * left.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const rows: Float64Array[] = [];
  for (;;) {
    const pivot = left.reduce((best, value, j) => (value > left[best] ? j : best), 0);
    if (!(left[pivot] > tolerance)) break;
    const row = Float64Array.from({ length: d }, (_, j) => c[pivot * d + j]);
    for (const f of rows) {
      const v = f[pivot];
      for (let j = 0; j < d; j++) row[j] -= v * f[j];
    }
    const root = Math.sqrt(left[pivot]);
    for (let j = 0; j < d; j++) {
      row[j] /= root;
      left[j] -= row[j] * row[j];
    }
    left[pivot] = 0;
    rows.push(row);
  }
  // What is left is rounding, of either sign, unless C was no covariance.
  if (!left.every((value) => value >= -1e4 * tolerance)) {
    throw new UsageError(
      "the covariance is not finite and positive semi-definite: compute the statistics again",
    );
  }
  return rows;
}
