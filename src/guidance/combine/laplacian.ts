import type { Tensor } from "../../base/tensor.ts";
import { sameKind } from "../../base/tensor.ts";

/**
 * The Laplacian pyramid of images [batch, channels, height, width], finest level first: level_i = g_i - up(g_{i+1}), the last
 * one what is left. down: the 5 x 5 binomial blur, then the mean of 2 x 2 blocks; up: bilinear doubling (half-pixel
 * centres), then the blur. `build` gives the image back exactly. In float64.
 */
export function pyramid(x: Tensor, levels: number): Tensor[] {
  const out: Tensor[] = [];
  let g = padded(x, levels);
  for (let level = 1; level < levels; level++) {
    const next = down(g);
    const back = up(next);
    out.push({ data: g.data.map((value, i) => value - back.data[i]), shape: g.shape });
    g = next;
  }
  return [...out, g];
}

/** The image of a pyramid's levels, cut to the shape and of the kind of array of `like`. */
export function build(levels: readonly Tensor[], like: Tensor): Tensor {
  const whole = levels.reduceRight((coarse, level) => {
    const back = up(coarse);
    return { data: level.data.map((value, i) => value + back.data[i]), shape: level.shape };
  });
  return cut(whole, like);
}

/**
 * As float64, mirrored at the far ends (the edge not repeated) to sides that can be halved levels - 1 times; where neither side is a
 * power of two, to the next ones, as kornia has it.
 */
function padded(x: Tensor, levels: number): Tensor {
  const [batch, channels, height, width] = x.shape;
  const step = 2 ** (levels - 1);
  const sides = [height, width];
  const [rows, columns] = sides.some(isPowerOfTwo)
    ? sides.map((n) => Math.ceil(n / step) * step)
    : sides.map((n) => Math.max(step, 2 ** (32 - Math.clz32(n - 1))));
  const data = new Float64Array(batch * channels * rows * columns);
  for (let plane = 0; plane < batch * channels; plane++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        const from = (plane * height + mirror(i, height)) * width + mirror(j, width);
        data[(plane * rows + i) * columns + j] = x.data[from];
      }
  return { data, shape: [batch, channels, rows, columns] };
}

const isPowerOfTwo = (n: number): boolean => (n & (n - 1)) === 0;

function cut(x: Tensor, like: Tensor): Tensor {
  const [batch, channels, height, width] = like.shape;
  const [rows, columns] = x.shape.slice(2);
  const data = sameKind(like.data, like.data.length);
  for (let plane = 0; plane < batch * channels; plane++)
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++)
        data[(plane * height + i) * width + j] = x.data[(plane * rows + i) * columns + j];
  return { data, shape: like.shape };
}

/** Index of a row of n without repeating the edges: ... 2 1 0 1 2 ... n-2 n-1 n-2 ... */
function mirror(i: number, n: number): number {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const at = ((i % period) + period) % period;
  return at < n ? at : period - at;
}

const TAPS = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16];

function blur(x: Tensor): Tensor {
  return alongAxis(alongAxis(x, 2, taps), 3, taps);
}

/** Each output index as a weighted sum of input indices. */
type Weights = (index: number, size: number) => readonly (readonly [from: number, weight: number])[];

const taps: Weights = (i, n) => TAPS.map((weight, k) => [mirror(i + k - 2, n), weight]);

/** Bilinear doubling with half-pixel centres, clamped at the edges. */
const doubling: Weights = (i, n) => {
  const at = Math.min(Math.max((i + 0.5) / 2 - 0.5, 0), n - 1);
  const below = Math.floor(at);
  return [
    [below, 1 - (at - below)],
    [Math.min(below + 1, n - 1), at - below],
  ];
};

/** The mean of neighbours two by two. */
const halving: Weights = (i) => [
  [2 * i, 0.5],
  [2 * i + 1, 0.5],
];

const down = (x: Tensor): Tensor => alongAxis(alongAxis(blur(x), 2, halving, 0.5), 3, halving, 0.5);
const up = (x: Tensor): Tensor => blur(alongAxis(alongAxis(x, 2, doubling, 2), 3, doubling, 2));

/** A linear map along height (2) or width (3), whose size is multiplied by `factor`. */
function alongAxis({ data, shape }: Tensor, axis: 2 | 3, weights: Weights, factor = 1): Tensor {
  const size = shape[axis];
  const outSize = size * factor;
  const inner = axis === 2 ? shape[3] : 1;
  const outer = data.length / (size * inner);
  const out = new Float64Array(outer * outSize * inner);
  for (let i = 0; i < outSize; i++)
    for (const [from, weight] of weights(i, size))
      for (let o = 0; o < outer; o++)
        for (let k = 0; k < inner; k++)
          out[(o * outSize + i) * inner + k] += weight * data[(o * size + from) * inner + k];
  return { data: out, shape: shape.map((n, a) => (a === axis ? outSize : n)) };
}
