import type { Builder } from "../graph/builder.ts";
import type { Value } from "../graph/value.ts";
import { type DensityConfig, densityScore } from "./density.ts";
import { type EncoderConfig, encoder } from "./encoder.ts";
import { type Layout, layoutOf, type ParameterSource } from "./parameters.ts";
import { type PlanarClassifierConfig, planarClassifier } from "./planarClassifier.ts";
import { type UnetConfig, unet } from "./unet.ts";

/** A network as data, as it stands in a checkpoint. */
export type NetworkConfig = UnetConfig | EncoderConfig | DensityConfig | PlanarClassifierConfig;

/** The inputs every network of Fairlead is called with; each takes those it knows. */
export interface NetworkInputs {
  /** [batch, ...dims] */
  readonly x: Value;
  /** Standard deviation of the noise in each row, [batch]; networks see ln(sigma) / 4 of it. */
  readonly noise: Value;
  /** int64 [batch]: the class of each row, `classes` for the null condition. */
  readonly labels: Value;
}

/** Dimensions of one sample. */
export function sampleShape(config: NetworkConfig): readonly number[] {
  switch (config.kind) {
    case "unet":
    case "encoder":
      return [config.channels, config.size, config.size];
    case "density":
    case "planar-classifier":
      return [config.dims];
  }
}

/** Classes of the condition, 0 for none. */
export function conditionClasses(config: NetworkConfig): number {
  return config.kind === "unet" ? config.classes : 0;
}

/** The named outputs of a network: "prediction" of a denoising one; "logits" and "features" of a classifier. */
export function traceNetwork(
  p: ParameterSource,
  config: NetworkConfig,
  inputs: NetworkInputs,
): Record<string, Value> {
  switch (config.kind) {
    case "unet":
      return { prediction: unet(p, config, config.classes > 0 ? inputs : { ...inputs, labels: undefined }) };
    case "encoder":
      return { ...encoder(p, config, inputs) };
    case "density":
      return { prediction: densityScore(p, config, { x: inputs.x, sigma: inputs.noise }) };
    case "planar-classifier":
      return { logits: planarClassifier(p, config, { x: inputs.x, sigma: inputs.noise }) };
  }
}

/** Declares the inputs of a network for a fixed batch size. */
export function networkInputs(builder: Builder, config: NetworkConfig, batch: number): NetworkInputs {
  return {
    x: builder.input("x", "float32", [batch, ...sampleShape(config)]),
    noise: builder.input("noise", "float32", [batch]),
    labels: builder.input("labels", "int64", [batch]),
  };
}

/** Where the network's parameters lie in one flat vector. */
export function networkLayout(config: NetworkConfig): Layout {
  return layoutOf((p) => traceNetwork(p, config, networkInputs(p.builder, config, 1)));
}
