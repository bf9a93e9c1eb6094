import type { Tensor } from "../base/tensor.ts";
import { rowSize } from "../base/tensor.ts";

/** <a, b> of each row. */
export function rowDots(a: Tensor, b: Tensor): number[] {
  const sums = new Array<number>(a.shape[0]).fill(0);
  const size = rowSize(a);
  for (let i = 0; i < a.data.length; i++) sums[Math.floor(i / size)] += a.data[i] * b.data[i];
  return sums;
}
