/** Trained models: found by name or folder, opened with all that guidance can use, and sampled. */
export type { Bundle, LocatedBundle, Sampling } from "./bundle.ts";
export { locateModel, shippedModels } from "./bundle.ts";
export type { DataLikelihood, DataLikelihoodOptions } from "./likelihood.ts";
export { dataLikelihood } from "./likelihood.ts";
export type { Model } from "./model.ts";
export { openClassifier, openModel } from "./model.ts";
export type { SampleOptions, Samples } from "./sample.ts";
export { labelsFor, sample, sampleAll } from "./sample.ts";
