import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Picture } from "./picture.ts";
import { imageShape, toByte } from "./picture.ts";

export interface GridOptions {
  /** Images a row. Default: the smallest whole number whose square holds them all. */
  readonly columns?: number;
  /** Pixels between images and around them all. Default 2. */
  readonly gap?: number;
  /** Each pixel becomes scale x scale equal ones. A whole number. Default 1. */
  readonly scale?: number;
  /** Level 0..255 of the gaps. Default 255, white. */
  readonly background?: number;
}

/**
 * One picture of many images, in rows from the top left.
 *
 *   width = gap + columns * (scale * w + gap),  height = gap + rows * (scale * h + gap)
 *
 * @param images [n, channels, h, w] in [-1, 1], n at least 1, channels 1 or 3
 * @throws UsageError where images or options are not such
 */
export function grid(images: Tensor, options: GridOptions = {}): Picture {
  const { n, channels, height, width } = imageShape(images);
  const { columns = Math.ceil(Math.sqrt(n)), gap = 2, scale = 1, background = 255 } = options;
  if (n < 1) throw new UsageError("a grid needs at least one image, got none");
  wholeNumber("columns", columns, 1);
  wholeNumber("gap", gap, 0);
  wholeNumber("scale", scale, 1);

  const stepX = scale * width + gap;
  const stepY = scale * height + gap;
  const totalWidth = gap + columns * stepX;
  const totalHeight = gap + Math.ceil(n / columns) * stepY;
  const data = new Uint8Array(totalWidth * totalHeight * channels).fill(background);

  for (let i = 0; i < n; i++) {
    const left = gap + (i % columns) * stepX;
    const top = gap + Math.floor(i / columns) * stepY;
    for (let c = 0; c < channels; c++) {
      const plane = (i * channels + c) * height * width;
      for (let y = 0; y < scale * height; y++) {
        const source = plane + Math.floor(y / scale) * width;
        const target = ((top + y) * totalWidth + left) * channels + c;
        for (let x = 0; x < scale * width; x++) {
          data[target + x * channels] = toByte(images.data[source + Math.floor(x / scale)]);
        }
      }
    }
  }
  return { width: totalWidth, height: totalHeight, channels, data };
}

function wholeNumber(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new UsageError(`a grid's ${name} must be a whole number of at least ${least}, got ${value}`);
  }
}
