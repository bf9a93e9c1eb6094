/**
 * Standard normal noise in the layout in which CUDA deals Philox words to the elements of a tensor, as web UIs emulate it
 * ("GPU", "NV"): element i of the generator's call number `call` has the counter (call, 0, i, 0) under the seed as key, and is
 *
 *   sqrt(-2 ln u) sin(v),   u = w0/2^32 + 2^-33,   v = 2 pi (w1/2^32 + 2^-33)
 *
 * of the block's first two words. So for the start noise of one sample at a time (a card's own grid of threads gives the same
 * for as many elements as it has threads).
 */
import { philoxBlock } from "./philox.ts";
import type { FloatArray } from "./tensor.ts";

/** Fills `out` with the normals of a generator's call (0 for its first). seed: a whole number from 0. */
export function fillCudaNormal(out: FloatArray, seed: number, call: number): void {
  const words = new Uint32Array(4);
  const [low, high] = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
  for (let i = 0; i < out.length; i++) {
    philoxBlock(words, call, 0, i, 0, low, high);
    const u = words[0] / 2 ** 32 + 2 ** -33;
    const v = 2 * Math.PI * (words[1] / 2 ** 32 + 2 ** -33);
    out[i] = Math.sqrt(-2 * Math.log(u)) * Math.sin(v);
  }
}
