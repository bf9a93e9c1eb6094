import type { Tensor } from "../../src/base/tensor.ts";
import {
  type Field,
  type Recipe,
  type Rgb,
  type View,
  densityLevels,
  densityPalette,
  encodeIndexedPng,
} from "../../src/report/index.ts";

/** Samples of the plane, [n, 2], and which of them are outliers. */
export interface Panel {
  readonly x: Tensor;
  readonly outliers: readonly boolean[];
}

const SIZE = 280;
const GAP = 6;
const sample: Rgb = [0, 74, 128];
const outlier: Rgb = [213, 94, 0];

/** Panels side by side: samples over a density, as a PNG of few colours, which is a tenth of what an SVG of them takes. */
export function planePicture(
  density: Field,
  view: View,
  panels: readonly Panel[],
  recipe: Recipe,
): Uint8Array {
  const palette = [...densityPalette, sample, outlier];
  const under = densityLevels(density, view, SIZE);
  const width = panels.length * (SIZE + GAP) - GAP;
  const pixels = new Uint8Array(width * SIZE);
  panels.forEach((panel, i) => {
    const left = i * (SIZE + GAP);
    for (let row = 0; row < SIZE; row++)
      pixels.set(under.subarray(row * SIZE, (row + 1) * SIZE), row * width + left);
    // Outliers last, so that they are seen.
    for (const marked of [false, true]) {
      const colour = densityPalette.length + (marked ? 1 : 0);
      panel.outliers.forEach((is, row) => {
        if (is === marked)
          dot(pixels, width, left, view, panel.x.data.subarray(2 * row, 2 * row + 2), colour);
      });
    }
  });
  return encodeIndexedPng(width, SIZE, pixels, palette, recipe);
}

/** A square of 2 x 2 pixels at a point; nothing where the view ends. */
function dot(
  pixels: Uint8Array,
  width: number,
  left: number,
  { centre, halfSize }: View,
  [x, y]: ArrayLike<number> & Iterable<number>,
  colour: number,
): void {
  const column = Math.floor(((x - centre[0] + halfSize) / (2 * halfSize)) * SIZE);
  const row = Math.floor(((centre[1] + halfSize - y) / (2 * halfSize)) * SIZE);
  for (const [c, r] of [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ]) {
    const [at, line] = [column + c, row + r];
    if (at >= 0 && at < SIZE && line >= 0 && line < SIZE) pixels[line * width + left + at] = colour;
  }
}
