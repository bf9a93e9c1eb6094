import { FileError, UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import type { Labels } from "../diffusion/denoiser.ts";
import { toUnitRange } from "./transforms.ts";

/** Labelled pictures of one size, in memory as bytes. */
export interface ImageDataset {
  readonly name: string;
  readonly count: number;
  /** [channels, height, width] of one image. */
  readonly shape: readonly [number, number, number];
  /** Names of the classes by label; empty when there are no labels. */
  readonly classes: readonly string[];
  /** [count], or null when there are no labels. */
  readonly labels: Int32Array | null;
  /** [count, channels, height, width], 0 black, 255 white. */
  readonly images: Uint8Array;
  /**
   * Writes the images `indices`, in [-1, 1], one after the other into `out` and returns their labels (-1: no label).
   * Throws UsageError for an index outside 0 .. count - 1 or an `out` of another length.
   */
  batch(indices: ArrayLike<number>, out: Float32Array): Labels;
}

export interface ImageArrays {
  readonly name: string;
  readonly shape: readonly [number, number, number];
  readonly classes: readonly string[];
  readonly labels: ArrayLike<number> | null;
  readonly images: Uint8Array;
}

/** A data set over arrays in memory (the images are not copied). Throws FileError where they do not fit together. */
export function imageDataset({ name, shape, classes, labels, images }: ImageArrays): ImageDataset {
  const size = sizeOf(shape);
  const count = images.length / size;
  if (!Number.isInteger(count) || count === 0) {
    throw new FileError(
      `${name} has ${images.length} bytes of pixels, wanted a multiple of ${size}, at least one image`,
    );
  }
  if (labels && labels.length !== count) {
    throw new FileError(
      `${name} has ${count} images but ${labels.length} labels; its files do not belong together`,
    );
  }
  const wrong = Array.from(labels ?? []).find((label) => label < 0 || label >= classes.length);
  if (wrong !== undefined) {
    throw new FileError(`${name} has a label ${wrong}, wanted 0 to ${classes.length - 1}`);
  }
  const own = labels && Int32Array.from(labels);

  function batch(indices: ArrayLike<number>, out: Float32Array): Labels {
    if (out.length !== indices.length * size) {
      throw new UsageError(
        `${indices.length} images of ${name} are ${indices.length * size} values, got ${out.length}`,
      );
    }
    return Array.from(indices, (index, row) => {
      if (!(index >= 0 && index < count)) {
        throw new UsageError(`${name} has images 0 to ${count - 1}, got index ${index}`);
      }
      toUnitRange(images, out, index * size, row * size, size);
      return own ? own[index] : -1;
    });
  }

  return { name, count, shape, classes, labels: own, images, batch };
}

/** The label of a class given by name (in any case) or number. Throws UsageError listing the classes. */
export function labelOf(dataset: Pick<ImageDataset, "name" | "classes">, given: string | number): number {
  const text = String(given).trim().toLowerCase();
  const named = dataset.classes.findIndex((name) => name.toLowerCase() === text);
  const label = named >= 0 ? named : /^\d+$/.test(text) ? Number(text) : -1;
  if (label < 0 || label >= dataset.classes.length) {
    const known = dataset.classes.map((name, i) => `${i} ${name}`).join(", ");
    throw new UsageError(`${dataset.name} has no class "${given}"; its classes are ${known || "none"}`);
  }
  return label;
}
