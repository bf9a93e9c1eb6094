/**
 * One row against a block of rows: the inner loops of every metric that looks at all pairs.
 *
 * Callers walk blocks of `BLOCK` rows of y in the outer loop, so that a block stays in the cache while x passes by. Four
 * rows of y at a time share the loads of x. Each pair is summed over k in ascending order, whichever path it takes, so
 * that value(x, y) = value(y, x) to the last bit and equal distances compare as equal.
 */
import type { Matrix } from "./features.ts";

/** Rows of y per block. */
export const BLOCK = 128;

/**
 * Writes |x_i - y_j|^2 to out[j - start] for start <= j < end, from the differences themselves: exactly 0 for equal rows
 * and free of cancellation, which |x|^2 + |y|^2 - 2 x.y is not.
 */
export function squaredDistances(
  x: Matrix,
  i: number,
  y: Matrix,
  start: number,
  end: number,
  out: Float64Array,
): void {
  const d = x.d;
  const a = x.data;
  const b = y.data;
  const row = i * d;
  let j = start;
  for (; j + 4 <= end; j += 4) {
    const r0 = j * d;
    const r1 = r0 + d;
    const r2 = r1 + d;
    const r3 = r2 + d;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let k = 0; k < d; k++) {
      const v = a[row + k];
      const e0 = v - b[r0 + k];
      const e1 = v - b[r1 + k];
      const e2 = v - b[r2 + k];
      const e3 = v - b[r3 + k];
      s0 += e0 * e0;
      s1 += e1 * e1;
      s2 += e2 * e2;
      s3 += e3 * e3;
    }
    out[j - start] = s0;
    out[j - start + 1] = s1;
    out[j - start + 2] = s2;
    out[j - start + 3] = s3;
  }
  for (; j < end; j++) {
    let s = 0;
    for (let k = 0; k < d; k++) {
      const e = a[row + k] - b[j * d + k];
      s += e * e;
    }
    out[j - start] = s;
  }
}

/** Writes x_i . y_j to out[j - start] for start <= j < end. */
export function dotProducts(
  x: Matrix,
  i: number,
  y: Matrix,
  start: number,
  end: number,
  out: Float64Array,
): void {
  const d = x.d;
  const a = x.data;
  const b = y.data;
  const row = i * d;
  let j = start;
  for (; j + 4 <= end; j += 4) {
    const r0 = j * d;
    const r1 = r0 + d;
    const r2 = r1 + d;
    const r3 = r2 + d;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let k = 0; k < d; k++) {
      const v = a[row + k];
      s0 += v * b[r0 + k];
      s1 += v * b[r1 + k];
      s2 += v * b[r2 + k];
      s3 += v * b[r3 + k];
    }
    out[j - start] = s0;
    out[j - start + 1] = s1;
    out[j - start + 2] = s2;
    out[j - start + 3] = s3;
  }
  for (; j < end; j++) {
    let s = 0;
    for (let k = 0; k < d; k++) s += a[row + k] * b[j * d + k];
    out[j - start] = s;
  }
}
