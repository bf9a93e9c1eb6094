import { add, silu } from "../graph/ops/elementwise.ts";
import { gather } from "../graph/ops/indexing.ts";
import { concat, reshape, transpose } from "../graph/ops/reshape.ts";
import { upsample } from "../graph/ops/resample.ts";
import type { Value } from "../graph/value.ts";
import { attention, conv, linear, modulatedNorm, noiseFeatures, norm } from "./layers.ts";
import type { ParameterSource } from "./parameters.ts";

/** A UNet of ADM's kind (Dhariwal & Nichol 2021, arXiv:2105.05233). */
export interface UnetConfig {
  readonly kind: "unet";
  /** Height and width of the images. */
  readonly size: number;
  /** Channels of the images. */
  readonly channels: number;
  /** Pixels of a patch x patch block become channels of one position before the first level. 1: pixels stay pixels. */
  readonly patch: number;
  /** Features at each resolution, finest first; each next level has half the resolution. */
  readonly features: readonly number[];
  /** Residual blocks a level, on the way down and again on the way up. */
  readonly blocks: number;
  /** Which levels have self-attention; the middle always has. */
  readonly attention: readonly boolean[];
  readonly headChannels: number;
  /** Groups of every group norm. */
  readonly groups: number;
  /** Width of the embedding of noise level and class. */
  readonly embedding: number;
  /** Classes of the condition; 0: unconditional. One more is kept for the dropped (null) condition. */
  readonly classes: number;
  /** Whether the embedding scales and shifts the second norm of a block (ADM), or is added before it. */
  readonly modulate: boolean;
}

/** Sides of images are multiples of it: patches, halved at each further level. */
export const sideMultiple = ({ patch, features }: UnetConfig): number => patch * 2 ** (features.length - 1);

export interface UnetInputs {
  /** [batch, channels, size, size] */
  readonly x: Value;
  /** Standard deviation of the noise in each row; the network sees ln(sigma) / 4. [batch] */
  readonly noise: Value;
  /** Class of each row; `classes` is the null condition. int64 [batch]; absent when classes is 0. */
  readonly labels?: Value;
}

/** The raw prediction F, of x's shape. */
export function unet(p: ParameterSource, config: UnetConfig, { x, noise, labels }: UnetInputs): Value {
  const embedded = embed(p, config, noise, labels);
  const { features, groups } = config;

  // Down: every block's output is kept for the way up.
  let h = conv(p, "in", toPatches(x, config.patch), features[0]);
  const skips: Value[] = [];
  features.forEach((width, level) => {
    for (let i = 0; i < config.blocks; i++) {
      h = stage(p, `down.${level}.${i}`, h, width, config, embedded, config.attention[level]);
      skips.push(h);
    }
    if (level < features.length - 1) {
      h = conv(p, `down.${level}.half`, h, width, { stride: 2 });
    }
  });

  // Middle.
  const deepest = features[features.length - 1];
  h = stage(p, "mid.0", h, deepest, config, embedded, true);
  h = stage(p, "mid.1", h, deepest, config, embedded, false);

  // Up: each block first takes back what the way down kept.
  for (let level = features.length - 1; level >= 0; level--) {
    for (let i = 0; i < config.blocks; i++) {
      const joined = concat([h, skips.pop()!], 1);
      h = stage(p, `up.${level}.${i}`, joined, features[level], config, embedded, config.attention[level]);
    }
    if (level > 0) h = conv(p, `up.${level}.double`, upsample(h, 2), features[level]);
  }
  const patches = conv(p, "out", silu(norm(p, "out_norm", h, groups)), config.channels * config.patch ** 2, {
    gain: 0,
  });
  return fromPatches(patches, config.patch);
}

/** [batch, c, h, w] to [batch, c * patch * patch, h / patch, w / patch]. */
function toPatches(x: Value, patch: number): Value {
  if (patch === 1) return x;
  const [batch, channels, height, width] = x.shape;
  const [rows, columns] = [height / patch, width / patch];
  const apart = reshape(x, [batch, channels, rows, patch, columns, patch]);
  return reshape(transpose(apart, [0, 1, 3, 5, 2, 4]), [batch, channels * patch * patch, rows, columns]);
}

/** The inverse of toPatches. */
function fromPatches(x: Value, patch: number): Value {
  if (patch === 1) return x;
  const [batch, channels, rows, columns] = x.shape;
  const apart = reshape(x, [batch, channels / patch ** 2, patch, patch, rows, columns]);
  return reshape(transpose(apart, [0, 1, 4, 2, 5, 3]), [
    batch,
    channels / patch ** 2,
    rows * patch,
    columns * patch,
  ]);
}

function embed(p: ParameterSource, config: UnetConfig, noise: Value, labels: Value | undefined): Value {
  const width = config.embedding;
  return p.scope("embed", (q) => {
    let e = linear(q, "noise", noiseFeatures(noise, width), width);
    if (labels) e = add(e, gather(q.get("classes", [config.classes + 1, width], { std: 1 }), labels));
    return silu(linear(q, "mix", silu(e), width));
  });
}

/** One residual block, and self-attention after it where the level has it. */
function stage(
  p: ParameterSource,
  name: string,
  x: Value,
  width: number,
  config: UnetConfig,
  embedded: Value,
  attends: boolean,
): Value {
  return p.scope(name, (q) => {
    const h = residual(q, x, width, config, embedded);
    return attends ? attention(q, "attention", h, config.groups, config.headChannels) : h;
  });
}

function residual(p: ParameterSource, x: Value, width: number, config: UnetConfig, embedded: Value): Value {
  const { groups, modulate } = config;
  let h = conv(p, "conv1", silu(norm(p, "norm1", x, groups)), width);
  if (modulate) {
    h = modulatedNorm(p, "norm2", h, groups, embedded);
  } else {
    h = add(h, reshape(linear(p, "embedding", embedded, width), [x.shape[0], width, 1, 1]));
    h = norm(p, "norm2", h, groups);
  }
  h = conv(p, "conv2", silu(h), width, { gain: 0.1 });
  const skip = x.shape[1] === width ? x : conv(p, "skip", x, width, { kernel: 1 });
  return add(skip, h);
}
