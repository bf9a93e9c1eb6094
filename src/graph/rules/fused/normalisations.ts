import { float, floatOf, int, intOf } from "../../attributes.ts";
import { add, cast, div, mul, silu, sqrt, square } from "../../ops/elementwise.ts";
import { gather } from "../../ops/indexing.ts";
import { groupNorm, softmax } from "../../ops/normalise.ts";
import { reduceMean } from "../../ops/reduce.ts";
import { concat, expand, reshape } from "../../ops/reshape.ts";
import type { CallSite, RuleFamily } from "../../rule.ts";
import { axisOf, check } from "../../shapes.ts";
import type { Value } from "../../value.ts";
import { channelsBehind, channelsFirst } from "./channelsLast.ts";

/** LayerNormalization over the last axis. */
function layerNorm(x: Value, scale: Value, bias: Value | null | undefined, epsilon: number): Value {
  const inputs = bias ? [x, scale, bias] : [x, scale];
  return x.builder.apply("LayerNormalization", inputs, {
    attributes: { axis: int(-1), epsilon: float(epsilon) },
  })[0];
}

/** x / sqrt(mean of x^2 + epsilon) * scale over the axes from `axis` on; and 1 / sqrt(...). */
function rmsNorm(x: Value, scale: Value, epsilon: number, axis = -1): [Value, Value] {
  const first = axisOf({ name: "rmsNorm" }, axis, x.shape.length);
  const axes = x.shape.flatMap((_, i) => (i >= first ? [i] : []));
  const root = sqrt(add(reduceMean(square(x), axes, { keep: true }), epsilon));
  return [mul(div(x, root), scale), div(x.builder.literal(1, x.dtype), root)];
}

/**
 * What a skip normalisation gives: the normalised sum; mean and inverse deviation, which ONNX Runtime fills in training
 * only; and the sum itself.
 */
function withSum(site: CallSite, y: Value, sum: Value): readonly Value[] {
  const kept = expand(y.builder.literal(0, "float32"), [...sum.shape.slice(0, -1), 1]);
  return [y, kept, kept, sum].slice(0, site.outputCount);
}

/** x is what a linear layer gives whose bias this is: so what is added to the stream is whole, and can be replaced. */
const sumOf = (x: Value, skip: Value, bias: Value | null | undefined): Value =>
  add(bias ? add(x, bias) : x, skip);

/** Group norm of images, with SiLU behind it where the node asks for it. */
function normaliseGroups(site: CallSite, x: Value, gamma: Value, beta: Value): Value {
  const last = intOf(site, "channels_last", 1) === 1;
  const images = last ? channelsFirst(x) : x;
  const [scale, bias] = [gamma, beta].map((v) => cast(v, x.dtype));
  const y = groupNorm(images, intOf(site, "groups", 1), scale, bias, floatOf(site, "epsilon", 1e-5));
  const kind = intOf(site, "activation", 0);
  check(site, kind === 0 || kind === 1, () => `${site.op} with the activation ${kind} is not known`);
  const activated = kind === 1 ? silu(y) : y;
  return last ? channelsBehind(activated) : activated;
}

/** What is added to every pixel: [batch, channels] or images. */
function spread(site: CallSite, skip: Value, rank: number): Value {
  if (skip.shape.length === rank) return skip;
  const ones = new Array<number>(rank - 2).fill(1);
  const [batch, channels] = skip.shape;
  const last = intOf(site, "channels_last", 1) === 1;
  return reshape(skip, last ? [batch, ...ones, channels] : [batch, channels, ...ones]);
}

export const fusedNormalisations: RuleFamily = {
  // ONNX Runtime writes it into the standard domain.
  SimplifiedLayerNormalization: {
    expand: (site, [x, scale]) =>
      rmsNorm(x!, scale!, floatOf(site, "epsilon", 1e-5), intOf(site, "axis", -1)).slice(0, site.outputCount),
  },
  "com.microsoft::SkipLayerNormalization": {
    expand: (site, [x, skip, gamma, beta, bias]) => {
      const sum = sumOf(x!, skip!, bias);
      return withSum(site, layerNorm(sum, gamma!, beta, floatOf(site, "epsilon", 1e-12)), sum);
    },
  },
  "com.microsoft::SkipSimplifiedLayerNormalization": {
    expand: (site, [x, skip, gamma, bias]) => {
      const sum = sumOf(x!, skip!, bias);
      return withSum(site, rmsNorm(sum, gamma!, floatOf(site, "epsilon", 1e-12))[0], sum);
    },
  },
  "com.microsoft::GroupNorm": {
    expand: (site, [x, gamma, beta]) => [normaliseGroups(site, x!, gamma!, beta!)],
  },
  "com.microsoft::SkipGroupNorm": {
    expand: (site, [x, gamma, beta, skip, bias]) => {
      const rank = x!.shape.length;
      const shifted = bias ? add(x!, spread(site, reshape(bias, [1, -1]), rank)) : x!;
      const sum = add(shifted, spread(site, skip!, rank));
      return [normaliseGroups(site, sum, gamma!, beta!), sum].slice(0, site.outputCount);
    },
  },
  // softmax(x + bias) over all axes from `axis` on.
  "com.microsoft::BiasSoftmax": {
    expand: (site, [x, bias]) => {
      const sum = add(x!, bias!);
      const axis = axisOf(site, intOf(site, "axis", 1), sum.shape.length);
      const flat = reshape(sum, [...sum.shape.slice(0, axis), -1]);
      return [reshape(softmax(flat), sum.shape)];
    },
  },
  // Word, position and segment embeddings, added and normalised.
  "com.microsoft::EmbedLayerNormalization": {
    expand: (site, [words, segments, word, position, segment, gamma, beta, mask, places]) => {
      const { builder, shape } = words!;
      const counted = Array.from({ length: shape[1] }, (_, i) => i);
      const rows = gather(position!, places ?? builder.literal(counted, "int64"));
      const terms = [gather(word!, words!), rows, ...(segments ? [gather(segment!, segments)] : [])];
      const sum = terms.reduce((a, b) => add(a, b));
      const y = layerNorm(sum, gamma!, beta, floatOf(site, "epsilon", 1e-12));
      return [y, lengths(words!, mask), sum].slice(0, site.outputCount);
    },
  },
};

/** Where the first 0 of each row stands, the row's length where there is none; 0 without a mask. */
function lengths(words: Value, mask: Value | null | undefined): Value {
  const { builder, shape } = words;
  const zero = builder.literal(0, "int32");
  if (!mask) return expand(zero, [shape[0]]);
  const ended = concat([mask, expand(zero, [shape[0], 1])], 1);
  const [first] = builder.apply("ArgMin", [ended], { attributes: { axis: int(1), keepdims: int(0) } });
  return cast(first, "int32");
}
