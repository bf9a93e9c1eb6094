import { quantile } from "../base/quantile.ts";
import { type Tensor, rowSize, sameKind } from "../base/tensor.ts";

/**
 * Dynamic thresholding of a prediction of pixels in [-1, 1], row by row: s = min(max(1, quantile(|x0|, share)), max), x0' = clip(x0, -s, s)/s.
 * Source: Saharia et al. 2022 (arXiv:2205.11487), section 2.3; without its `max` it has none.
 */
export function dynamicThreshold(x0: Tensor, share: number, max = Infinity): Tensor {
  const data = sameKind(x0.data, x0.data.length);
  const size = rowSize(x0);
  for (let start = 0; start < data.length; start += size) {
    const row = x0.data.subarray(start, start + size);
    const s = Math.min(Math.max(1, quantile(row.map(Math.abs), share)), max);
    for (let i = 0; i < size; i++) data[start + i] = Math.min(Math.max(row[i], -s), s) / s;
  }
  return { data, shape: x0.shape };
}
