import { conv2d } from "../graph/ops/conv.ts";
import { add, cos, log, mul, sin } from "../graph/ops/elementwise.ts";
import { matmul } from "../graph/ops/linear.ts";
import { groupNorm, softmax } from "../graph/ops/normalise.ts";
import { concat, reshape, split, swapLast } from "../graph/ops/reshape.ts";
import type { Value } from "../graph/value.ts";
import type { ParameterSource } from "./parameters.ts";

/** x w + b. x [batch, in]; out [batch, out]. `gain` scales the initial weights (0: the layer starts as zero). */
export function linear(p: ParameterSource, name: string, x: Value, out: number, gain = 1): Value {
  const fanIn = x.shape[1];
  return p.scope(name, (q) => {
    const weight = q.get("weight", [fanIn, out], { std: gain / Math.sqrt(fanIn) });
    return add(matmul(x, weight), q.get("bias", [out], { constant: 0 }));
  });
}

interface ConvOptions {
  /** Side of the kernel. Default 3. */
  readonly kernel?: number;
  readonly stride?: number;
  /** Scale of the initial weights. Default 1; 0 makes the layer start as zero. */
  readonly gain?: number;
}

/** A convolution that keeps height and width (divided by `stride`). x [batch, in, h, w]; out [batch, out, h, w]. */
export function conv(
  p: ParameterSource,
  name: string,
  x: Value,
  out: number,
  options: ConvOptions = {},
): Value {
  const { kernel = 3, stride = 1, gain = 1 } = options;
  const fanIn = x.shape[1] * kernel * kernel;
  return p.scope(name, (q) => {
    const weight = q.get("weight", [out, x.shape[1], kernel, kernel], { std: gain / Math.sqrt(fanIn) });
    const bias = q.get("bias", [out], { constant: 0 });
    return conv2d(x, weight, { stride, padding: (kernel - 1) / 2, bias });
  });
}

/** Group norm with a learned scale and bias by channel. */
export function norm(p: ParameterSource, name: string, x: Value, groups: number): Value {
  return p.scope(name, (q) => {
    const scale = q.get("scale", [x.shape[1]], { constant: 1 });
    const bias = q.get("bias", [x.shape[1]], { constant: 0 });
    return groupNorm(x, groups, scale, bias);
  });
}

/** Group norm whose scale and bias come from an embedding: (1 + s) * normal + b, (s, b) [batch, channels] each. */
export function modulatedNorm(
  p: ParameterSource,
  name: string,
  x: Value,
  groups: number,
  embedding: Value,
): Value {
  const channels = x.shape[1];
  return p.scope(name, (q) => {
    const [s, b] = split(linear(q, "embedding", embedding, 2 * channels), 1, [channels, channels]);
    const scale = q.get("scale", [channels], { constant: 1 });
    const bias = q.get("bias", [channels], { constant: 0 });
    const factor = add(s, 1);
    return groupNorm(x, groups, mul(factor, scale), add(mul(factor, bias), b));
  });
}

/**
 * Self-attention over the pixels of x [batch, channels, h, w], with its norm and residual.
 * The softmax and the product with the values are ordinary nodes named `name/softmax`, so that the layer can be
 * found and perturbed in the graph.
 */
export function attention(
  p: ParameterSource,
  name: string,
  x: Value,
  groups: number,
  headChannels: number,
): Value {
  const [batch, channels, height, width] = x.shape;
  const heads = channels / headChannels;
  const tokens = height * width;
  return p.scope(name, (q) => {
    const qkv = conv(q, "qkv", norm(q, "norm", x, groups), 3 * channels, { kernel: 1 });
    const parts = split(reshape(qkv, [batch, 3 * heads, headChannels, tokens]), 1, [heads, heads, heads]);
    // [batch, heads, headChannels, tokens] to [batch, heads, tokens, headChannels]
    const [query, key, value] = parts.map(swapLast);
    const logits = mul(matmul(query, swapLast(key)), 1 / Math.sqrt(headChannels));
    const mixed = matmul(softmax(logits), value);
    const merged = reshape(swapLast(mixed), [batch, channels, height, width]);
    return add(x, conv(q, "out", merged, channels, { kernel: 1, gain: 0 }));
  });
}

/**
 * Sines and cosines of ln(sigma) / 4, which lies in about [-1.6, 1.1], at width / 2 frequencies from 1 to 100.
 * sigma [batch]; out [batch, width].
 */
export function noiseFeatures(sigma: Value, width: number): Value {
  const half = width / 2;
  const frequencies = Array.from({ length: half }, (_, i) => 100 ** (i / Math.max(1, half - 1)));
  const level = reshape(mul(log(sigma), 0.25), [sigma.shape[0], 1]);
  const angles = mul(level, sigma.builder.literal(frequencies, sigma.dtype, [1, half]));
  return concat([sin(angles), cos(angles)], 1);
}
