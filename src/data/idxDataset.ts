import { existsSync } from "node:fs";
import { join } from "node:path";
import { FileError } from "../base/errors.ts";
import { cacheFolder } from "./cacheFolder.ts";
import type { ImageDataset } from "./dataset.ts";
import { imageDataset } from "./dataset.ts";
import type { DownloadOptions } from "./download.ts";
import { download } from "./download.ts";
import { readIdx } from "./idx.ts";
import { padImages } from "./transforms.ts";

export type Split = "train" | "test";

/** A data set published as four IDX files. */
export interface IdxSource {
  /** As typed by users, and the folder's name in the cache. */
  readonly name: string;
  readonly classes: readonly string[];
  /** Where its authors publish it, ending in a slash. */
  readonly url: string;
  /** Where a system package puts it. */
  readonly systemFolder: string;
  /** SHA-256 of the content of each file, unpacked. */
  readonly sha256: Readonly<Record<Split, { readonly images: string; readonly labels: string }>>;
}

/** Paths of the two files of a split. */
export interface IdxPair {
  readonly images: string;
  readonly labels: string;
}

export interface LoadOptions {
  /** A folder that holds the files; nothing else is then tried. */
  readonly path?: string;
  /** Default: cacheFolder(). */
  readonly cache?: string;
  /** Default: the source's. */
  readonly systemFolder?: string;
  /** Default: the source's. */
  readonly url?: string;
  readonly onProgress?: DownloadOptions["onProgress"];
  readonly signal?: AbortSignal;
}

/** Side of the images after padding: the nearest power of two above 28, which a UNet can halve. */
const SIZE = 32;

const FILES = {
  train: { images: "train-images-idx3-ubyte", labels: "train-labels-idx1-ubyte" },
  test: { images: "t10k-images-idx3-ubyte", labels: "t10k-labels-idx1-ubyte" },
} as const;

/**
 * A split of an IDX data set, its images padded with black to 32 x 32, from the first place that has both files
 * (gzipped or not): the path given; the cache; the system's folder; the publisher, whose files then stay in the cache.
 *
 * Throws FileError if the given path lacks a file, a file is broken, or the download fails.
 */
export async function loadIdxDataset(
  source: IdxSource,
  split: Split,
  options: LoadOptions = {},
): Promise<ImageDataset> {
  const name = split === "train" ? source.name : `${source.name}:${split}`;
  return readPair(name, source.classes, await locate(source, split, options));
}

/** The data set in a file of images and a file of labels. */
export async function readPair(
  name: string,
  classes: readonly string[],
  pair: IdxPair,
): Promise<ImageDataset> {
  const pixels = await readIdx(pair.images, 3);
  const [count, height, width] = pixels.shape;
  if (height > SIZE || width > SIZE) {
    throw new FileError(
      `${pair.images} has images of ${width} x ${height}, wanted at most ${SIZE} x ${SIZE} pixels`,
    );
  }
  return imageDataset({
    name,
    shape: [1, SIZE, SIZE],
    classes,
    labels: (await readIdx(pair.labels, 1)).data,
    images: padImages(pixels.data, { count, height, width, size: SIZE }),
  });
}

async function locate(source: IdxSource, split: Split, options: LoadOptions): Promise<IdxPair> {
  if (options.path !== undefined) {
    const given = find(options.path, split);
    if (given) return given;
    const { images, labels } = FILES[split];
    throw new FileError(
      `${options.path} has no ${source.name}: wanted ${images}[.gz] and ${labels}[.gz] in it`,
    );
  }
  const cached = join(options.cache ?? cacheFolder(), source.name);
  return (
    find(cached, split) ??
    find(options.systemFolder ?? source.systemFolder, split) ??
    (await fetchInto(cached, source, split, options))
  );
}

/** Both files of a split in a folder, if both are there. */
function find(folder: string, split: Split): IdxPair | undefined {
  const file = (name: string) =>
    [`${name}.gz`, name].map((n) => join(folder, n)).find((path) => existsSync(path));
  const images = file(FILES[split].images);
  const labels = file(FILES[split].labels);
  return images && labels ? { images, labels } : undefined;
}

async function fetchInto(
  folder: string,
  source: IdxSource,
  split: Split,
  options: LoadOptions,
): Promise<IdxPair> {
  const get = async (kind: "images" | "labels") => {
    const name = `${FILES[split][kind]}.gz`;
    const path = join(folder, name);
    const { onProgress, signal } = options;
    await download((options.url ?? source.url) + name, path, {
      sha256: source.sha256[split][kind],
      onProgress,
      signal,
    });
    return path;
  };
  return { labels: await get("labels"), images: await get("images") };
}
