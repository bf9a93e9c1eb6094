/** Data: distributions of the plane, and images from IDX files and folders. */
export { cacheFolder } from "./cacheFolder.ts";
export type { ImageArrays, ImageDataset } from "./dataset.ts";
export { imageDataset, labelOf } from "./dataset.ts";
export { distributionByName, distributions } from "./distributions/catalogue.ts";
export type { Distribution, DistributionSpec } from "./distributions/distribution.ts";
export { distribution, mixtureDistribution } from "./distributions/distribution.ts";
export type { Tree } from "./distributions/tree.ts";
export { tree } from "./distributions/tree.ts";
export { fashionMnist } from "./fashionMnist.ts";
export type { IdxArray } from "./idx.ts";
export { readIdx } from "./idx.ts";
export type { IdxSource, LoadOptions, Split } from "./idxDataset.ts";
export { loadIdxDataset } from "./idxDataset.ts";
export type { ImageFolderOptions } from "./imageFolder.ts";
export { imageFolder } from "./imageFolder.ts";
export { mnist } from "./mnist.ts";
export { openDataset } from "./openDataset.ts";
export { loadSample } from "./sample.ts";
