import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ImageDataset } from "./dataset.ts";
import { fashionMnist } from "./fashionMnist.ts";
import { readPair } from "./idxDataset.ts";

/** The folder data/fashion-mnist-sample of the package: two levels above this file, in src/ as in dist/. */
export const sampleFolder = fileURLToPath(new URL("../../data/fashion-mnist-sample/", import.meta.url));

/** The first 100 test images of each class of Fashion-MNIST, 1,000 in all. They come with the package. */
export function loadSample(): Promise<ImageDataset> {
  return readPair("sample", fashionMnist.classes, {
    images: join(sampleFolder, "images-idx3-ubyte.gz"),
    labels: join(sampleFolder, "labels-idx1-ubyte.gz"),
  });
}
