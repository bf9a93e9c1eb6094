import type { Tensor } from "../base/tensor.ts";
import { rowSize, sameKind } from "../base/tensor.ts";
import type { Pair } from "./guidance.ts";
import { weightOfRow } from "./weight.ts";

/** One row of a pair. Float64 copies, so that sums and norms do not depend on the kind of x's array. */
export interface PairRow {
  readonly row: number;
  readonly strong: Float64Array;
  readonly weak: Float64Array;
  readonly x: Float64Array;
  readonly weight: number;
}

/** A tensor of strong's shape and kind, each row made from the pair's row. */
export function perRow(pair: Pair, method: (row: PairRow) => ArrayLike<number>): Tensor {
  const { strong, weak, x, weight } = pair;
  const data = sameKind(strong.data, strong.data.length);
  for (let row = 0; row < strong.shape[0]; row++) {
    const result = method({
      row,
      strong: rowOf(strong, row),
      weak: rowOf(weak, row),
      x: rowOf(x, row),
      weight: weightOfRow(weight, row),
    });
    data.set(result, row * rowSize(strong));
  }
  return { data, shape: strong.shape };
}

/** One row as float64, copied. */
export function rowOf(x: Tensor, row: number): Float64Array {
  const size = rowSize(x);
  return Float64Array.from(x.data.subarray(row * size, (row + 1) * size));
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

export const norm = (a: ArrayLike<number>): number => Math.sqrt(dot(a, a));

/** What brings `amount` of something of size `got` to the size `wanted`: amount*wanted/got + 1 - amount; 1 where it has no size. */
export function shareOfSize(amount: number, wanted: number, got: number): number {
  const ratio = wanted / got;
  return Number.isFinite(ratio) ? amount * ratio + 1 - amount : 1;
}

/** Standard deviation with the n - 1 divisor, as torch's default. */
export function standardDeviation(a: ArrayLike<number>): number {
  let mean = 0;
  for (let i = 0; i < a.length; i++) mean += a[i] / a.length;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - mean) ** 2;
  return Math.sqrt(sum / (a.length - 1));
}
