import { type Tensor, rowSize, sameKind } from "../base/tensor.ts";

/** Two tensors of one shape [batch, channels, ...] joined along the channels. */
export function concatChannels(a: Tensor, b: Tensor): Tensor {
  const size = rowSize(a);
  const data = sameKind(a.data, 2 * a.data.length);
  for (let row = 0; row < a.shape[0]; row++) {
    data.set(a.data.subarray(row * size, (row + 1) * size), 2 * row * size);
    data.set(b.data.subarray(row * size, (row + 1) * size), (2 * row + 1) * size);
  }
  return { data, shape: [a.shape[0], 2 * a.shape[1], ...a.shape.slice(2)] };
}
