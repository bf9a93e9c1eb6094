import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";

/** 8-bit pixels, row by row from the top left, channels interleaved: grey (1) or red, green, blue (3). */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** The grey level of a value in [-1, 1]: round((value + 1) * 127.5), clipped to 0..255. NaN becomes 0. */
export function toByte(value: number): number {
  const level = Math.round((value + 1) * 127.5);
  return level > 0 ? Math.min(level, 255) : 0;
}

/**
 * One image of a batch as a picture.
 *
 * @param images [n, channels, height, width] in [-1, 1], channels 1 or 3
 * @throws UsageError where the tensor is not such a batch
 */
export function pictureOf(images: Tensor, index: number): Picture {
  const { channels, height, width } = imageShape(images);
  const size = height * width;
  const data = new Uint8Array(size * channels);
  const start = index * size * channels;
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < size; i++) data[i * channels + c] = toByte(images.data[start + c * size + i]);
  }
  return { width, height, channels, data };
}

/** The sizes of a batch of images. Throws UsageError where it is not [n, 1 or 3, height, width]. */
export function imageShape(images: Tensor): { n: number; channels: 1 | 3; height: number; width: number } {
  const [n, channels, height, width] = images.shape;
  if (images.shape.length !== 4 || (channels !== 1 && channels !== 3)) {
    throw new UsageError(
      `a picture needs images of shape [n, 1 or 3, height, width], got [${images.shape.join(", ")}]`,
    );
  }
  return { n, channels, height, width };
}
