import type { Tensor } from "../../base/tensor.ts";
import { dataUri, encodeIndexedPng } from "../png.ts";

/** A value at each row of points [n, 2]: a log density in nats, or any other field. */
export type Field = (points: Tensor) => ArrayLike<number>;

/** The square of the plane that a picture shows. */
export interface View {
  readonly centre: readonly [number, number];
  /** From the centre to each edge, in data units. */
  readonly halfSize: number;
}

/** A picture that lies under plots of the plane. Made once, it serves every plot of that view. */
export interface Underlay {
  readonly view: View;
  /** A PNG as data: URI that covers the view; its top row is the largest y. */
  readonly uri: string;
}

const levels = 48;
const pale: Rgb = [255, 255, 255];
const dense: Rgb = [142, 163, 184];
const below: Rgb = [86, 120, 190];
const above: Rgb = [205, 120, 60];

export type Rgb = readonly [number, number, number];

/**
 * A density given by its logarithm: white where there is none, grey-blue at its peak in view.
 *
 *   level = exp((log p - max log p) / 4)
 *
 * The fourth root keeps branches visible that are a thousand times thinner than the peak.
 * Cost: pixels^2 evaluations of the log density.
 */
export function densityUnderlay(logDensity: Field, view: View, pixels = 320): Underlay {
  const indices = densityLevels(logDensity, view, pixels);
  return { view, uri: dataUri(encodeIndexedPng(pixels, pixels, indices, densityPalette)) };
}

/** The colours of a density's levels, from none to the peak. */
export const densityPalette: readonly Rgb[] = ramp(pale, dense, levels);

/** For each pixel, row by row from the top left, the place of its colour in `densityPalette`. */
export function densityLevels(logDensity: Field, view: View, pixels: number): Uint8Array {
  const values = logDensity(pixelCentres(view, pixels));
  let largest = -Infinity;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, values[i]);

  const indices = new Uint8Array(values.length);
  for (let i = 0; i < indices.length; i++) {
    indices[i] = Math.round((levels - 1) * Math.exp((values[i] - largest) / 4));
  }
  return indices;
}

/**
 * A signed field, such as a log ratio of densities: blue below 0, white at 0, orange above.
 *
 * @param limit the absolute value at which colours saturate
 */
export function signedUnderlay(field: Field, view: View, limit: number, pixels = 320): Underlay {
  const values = field(pixelCentres(view, pixels));
  const half = levels - 1;
  const indices = new Uint8Array(values.length);
  for (let i = 0; i < indices.length; i++) {
    const share = Math.max(-1, Math.min(1, values[i] / limit));
    indices[i] = half + Math.round(half * share);
  }
  const colours = [...ramp(below, pale, levels), ...ramp(pale, above, levels).slice(1)];
  return { view, uri: dataUri(encodeIndexedPng(pixels, pixels, indices, colours)) };
}

/** The middle of each pixel in data units, row by row from the top left: [pixels^2, 2]. */
export function pixelCentres({ centre, halfSize }: View, pixels: number): Tensor {
  const data = new Float64Array(2 * pixels * pixels);
  const step = (2 * halfSize) / pixels;
  let at = 0;
  for (let row = 0; row < pixels; row++) {
    for (let column = 0; column < pixels; column++) {
      data[at++] = centre[0] - halfSize + (column + 0.5) * step;
      data[at++] = centre[1] + halfSize - (row + 0.5) * step;
    }
  }
  return { data, shape: [pixels * pixels, 2] };
}

function ramp(from: Rgb, to: Rgb, count: number): [number, number, number][] {
  return Array.from({ length: count }, (_, i) => {
    const t = i / (count - 1);
    const mixed = from.map((value, c) => Math.round(value + t * (to[c] - value)));
    return [mixed[0], mixed[1], mixed[2]];
  });
}
