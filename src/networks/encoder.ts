import { add, silu } from "../graph/ops/elementwise.ts";
import { globalAverage } from "../graph/ops/resample.ts";
import type { Value } from "../graph/value.ts";
import { attention, conv, linear, modulatedNorm, noiseFeatures, norm } from "./layers.ts";
import type { ParameterSource } from "./parameters.ts";

/**
 * A classifier of (noised) images: the encoder half of a UNet, mean pooling, a linear layer
 * (Dhariwal & Nichol 2021, arXiv:2105.05233, section 4.2). Its penultimate layer is a feature extractor.
 */
export interface EncoderConfig {
  readonly kind: "encoder";
  readonly size: number;
  readonly channels: number;
  /** Features at each resolution, finest first; each next level has half the resolution. */
  readonly features: readonly number[];
  /** Residual blocks a level. */
  readonly blocks: number;
  readonly groups: number;
  readonly embedding: number;
  readonly headChannels: number;
  /** Width of the penultimate layer. */
  readonly width: number;
  readonly classes: number;
  /** Whether it is told the noise level (a noise-aware classifier), or sees clean images only. */
  readonly noiseAware: boolean;
}

export interface EncoderInputs {
  /** [batch, channels, size, size] */
  readonly x: Value;
  /** Standard deviation of the noise in each row [batch]; for a noise-aware one. */
  readonly noise?: Value;
}

/** logits [batch, classes], features [batch, width]. */
export function encoder(
  p: ParameterSource,
  config: EncoderConfig,
  { x, noise }: EncoderInputs,
): { logits: Value; features: Value } {
  const { groups, features, headChannels } = config;
  const embedded = config.noiseAware && noise ? embedNoise(p, config.embedding, noise) : null;
  let h = conv(p, "in", x, features[0]);
  features.forEach((width, level) => {
    if (level > 0) h = conv(p, `half.${level}`, h, width, { stride: 2 });
    for (let i = 0; i < config.blocks; i++) {
      h = p.scope(`level.${level}.${i}`, (q) => block(q, h, groups, embedded));
    }
  });
  if (headChannels > 0) h = attention(p, "attention", h, groups, headChannels);
  const pooled = globalAverage(silu(norm(p, "out_norm", h, groups)));
  const penultimate = silu(linear(p, "penultimate", pooled, config.width));
  return { logits: linear(p, "logits", penultimate, config.classes, 0.1), features: penultimate };
}

function embedNoise(p: ParameterSource, width: number, noise: Value): Value {
  return p.scope("embed", (q) => {
    const e = silu(linear(q, "noise", noiseFeatures(noise, width), width));
    return silu(linear(q, "mix", e, width));
  });
}

function block(p: ParameterSource, x: Value, groups: number, embedded: Value | null): Value {
  const width = x.shape[1];
  const h = conv(p, "conv1", silu(norm(p, "norm1", x, groups)), width);
  const normal = embedded ? modulatedNorm(p, "norm2", h, groups, embedded) : norm(p, "norm2", h, groups);
  return add(x, conv(p, "conv2", silu(normal), width, { gain: 0.1 }));
}
