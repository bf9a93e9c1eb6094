/** Networks as functions that trace graphs, and their adapters to the contracts of diffusion and guidance. */
export type { DensityConfig, DensityInputs } from "./density.ts";
export { densityScore, forceNormalise, logDensity } from "./density.ts";
export type { EncoderConfig, EncoderInputs } from "./encoder.ts";
export { encoder } from "./encoder.ts";
export { attention, conv, linear, modulatedNorm, noiseFeatures, norm } from "./layers.ts";
export type { NetworkConfig, NetworkInputs } from "./network.ts";
export { conditionClasses, networkInputs, networkLayout, sampleShape, traceNetwork } from "./network.ts";
export type { NetworkClassifier, NetworkClassifierOptions } from "./networkClassifier.ts";
export { networkClassifier } from "./networkClassifier.ts";
export type { NetworkDenoiser, NetworkDenoiserOptions } from "./networkDenoiser.ts";
export { networkDenoiser } from "./networkDenoiser.ts";
export type { Initial, Layout, ParameterEntry, ParameterSource } from "./parameters.ts";
export { constantParameters, flatParameters, initialise, layoutOf } from "./parameters.ts";
export type { PlanarClassifierConfig } from "./planarClassifier.ts";
export { planarClassifier } from "./planarClassifier.ts";
export type { UnetConfig, UnetInputs } from "./unet.ts";
export { unet } from "./unet.ts";
