import { existsSync } from "node:fs";
import { UsageError } from "../base/errors.ts";
import type { ImageDataset } from "./dataset.ts";
import { fashionMnist } from "./fashionMnist.ts";
import type { LoadOptions } from "./idxDataset.ts";
import { loadIdxDataset } from "./idxDataset.ts";
import type { ImageFolderOptions } from "./imageFolder.ts";
import { imageFolder } from "./imageFolder.ts";
import { mnist } from "./mnist.ts";
import { loadSample } from "./sample.ts";

const sources = [fashionMnist, mnist];

/**
 * The image data set that `spec` names: "fashion-mnist" or "mnist" (the training images; also ":train", ":test"),
 * "sample" (1,000 images of Fashion-MNIST that come with the package), or the path of a folder of pictures.
 *
 * Throws UsageError, listing these, for anything else, and FileError for files that are not as they should be.
 */
export async function openDataset(
  spec: string,
  options: LoadOptions & ImageFolderOptions = {},
): Promise<ImageDataset> {
  if (spec === "sample") return loadSample();
  const [name, split = "train"] = spec.split(":");
  const source = sources.find((candidate) => candidate.name === name);
  if (source) {
    if (split === "train" || split === "test") return loadIdxDataset(source, split, options);
    throw new UsageError(`${name} has no part "${split}"; write ${name}, ${name}:train or ${name}:test`);
  }
  if (existsSync(spec)) return imageFolder(spec, options);
  const known = sources.map((candidate) => candidate.name).join(", ");
  throw new UsageError(
    `there is no data set or folder "${spec}"; data sets are ${known} (also with :test) and sample`,
  );
}
