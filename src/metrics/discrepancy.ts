/** The squared maximum mean discrepancy of any kernel (Gretton et al. 2012), from sums over pairs. */
import type { Matrix } from "./features.ts";
import { BLOCK } from "./pairs.ts";

/** Fills out[j - start] with k(x_i, y_j) for start <= j < end. The kernel must be symmetric. */
export type KernelRow = (
  x: Matrix,
  i: number,
  y: Matrix,
  start: number,
  end: number,
  out: Float64Array,
) => void;

export interface Discrepancy {
  /** Leaves out each point with itself: division by n (n - 1). 0 on average between equal distributions, of either sign. */
  readonly unbiased: number;
  /** Keeps it: division by n^2. Never negative up to rounding. */
  readonly biased: number;
}

/** mean k(x, x') + mean k(y, y') - 2 mean k(x, y), in both estimates; at least 2 rows each. */
export function discrepancy(x: Matrix, y: Matrix, kernel: KernelRow): Discrepancy {
  const xx = sumsWithin(x, kernel);
  const yy = sumsWithin(y, kernel);
  const between = (2 * sumBetween(x, y, kernel)) / (x.n * y.n);
  return {
    unbiased: xx.different / (x.n * (x.n - 1)) + yy.different / (y.n * (y.n - 1)) - between,
    biased: (xx.different + xx.equal) / x.n ** 2 + (yy.different + yy.equal) / y.n ** 2 - between,
  };
}

/** Sum of k(x_i, y_j) over all i and j. */
function sumBetween(x: Matrix, y: Matrix, kernel: KernelRow): number {
  const values = new Float64Array(BLOCK);
  let total = 0;
  for (let start = 0; start < y.n; start += BLOCK) {
    const end = Math.min(start + BLOCK, y.n);
    for (let i = 0; i < x.n; i++) {
      kernel(x, i, y, start, end, values);
      total += sum(values, 0, end - start);
    }
  }
  return total;
}

/** Sums of k(x_i, x_j) over i != j and over i = j. */
function sumsWithin(x: Matrix, kernel: KernelRow): { different: number; equal: number } {
  const values = new Float64Array(BLOCK);
  let different = 0;
  let equal = 0;
  for (let start = 0; start < x.n; start += BLOCK) {
    const end = Math.min(start + BLOCK, x.n);
    for (let i = 0; i < end; i++) {
      const first = Math.max(start, i);
      kernel(x, i, x, first, end, values);
      const own = first === i ? 1 : 0;
      if (own) equal += values[0];
      different += 2 * sum(values, own, end - first);
    }
  }
  return { different, equal };
}

function sum(values: Float64Array, start: number, end: number): number {
  let total = 0;
  for (let j = start; j < end; j++) total += values[j];
  return total;
}
