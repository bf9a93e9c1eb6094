import { philox } from "../base/philox.ts";
import { sizeOf } from "../base/tensor.ts";
import { Builder } from "../graph/builder.ts";
import { constantOf } from "../graph/constant.ts";
import type { Graph } from "../graph/graph.ts";
import { conv2d } from "../graph/ops/conv.ts";
import { add, div, mul, silu, sqrt } from "../graph/ops/elementwise.ts";
import { slice } from "../graph/ops/indexing.ts";
import { matmul } from "../graph/ops/linear.ts";
import { softmax } from "../graph/ops/normalise.ts";
import { reduceMean } from "../graph/ops/reduce.ts";
import { concat, reshape, swapLast, transpose } from "../graph/ops/reshape.ts";
import type { Value } from "../graph/value.ts";

/** Sizes of the network: an image of 4 x 6 tokens and a text of 5, 2 heads of 4 numbers. */
export const jointSizes = { image: 24, text: 5, height: 4, width: 6, heads: 2, headSize: 4, blocks: 2 };

/** What a test changes by hand where the network is traced, in one block. */
export interface ByHand {
  readonly block: number;
  /** Scaled scores [batch, heads, tokens, tokens], tokens of the image first unless `textFirst`. */
  readonly scores?: (scores: Value) => Value;
  readonly map?: (map: Value) => Value;
  /** Projected queries of the image [batch, tokens, channels]. */
  readonly queries?: (queries: Value) => Value;
  readonly imageAttention?: (output: Value, normal: Value) => Value;
  readonly imageForward?: (output: Value, normal: Value) => Value;
  /** The image's tokens as they enter the block. */
  readonly entering?: (image: Value) => Value;
  readonly skip?: boolean;
}

export interface JointOptions {
  readonly textFirst?: boolean;
  /** Norms of queries and keys, as in SD3.5. */
  readonly queryNorm?: boolean;
  /** Joined once before all blocks, one stream (as in the second half of Flux). */
  readonly oneStream?: boolean;
}

/**
 * A transformer of joint attention as SD3's, traced with random weights: two streams with their own projections and feed-forward
 * layers, one attention over both. Inputs: sample [2, 4, 4, 6], encoder_hidden_states [2, 5, 8]; output: velocity.
 */
export function jointNetwork(options: JointOptions = {}, byHand?: ByHand): Graph {
  const builder = new Builder();
  const sample = builder.input("sample", "float32", [2, 4, jointSizes.height, jointSizes.width]);
  const text = builder.input("encoder_hidden_states", "float32", [2, jointSizes.text, 8]);
  const weights = weightsOf(builder);
  const patches = conv2d(sample, weights([8, 4, 1, 1]));
  let image = swapLast(reshape(patches, [2, 8, jointSizes.image]));
  let words = matmul(text, weights([8, 8]));
  if (options.oneStream) {
    const join = (a: Value, b: Value): Value => concat(options.textFirst ? [b, a] : [a, b], 1);
    let all = join(image, words);
    for (let block = 0; block < jointSizes.blocks; block++) {
      const change = byHand?.block === block ? byHand : undefined;
      [all] = builder.scope(`blocks.${block}`, () => oneBlock(all, weights, change));
    }
    const start = options.textFirst ? jointSizes.text : 0;
    image = slice(all, [{ axis: 1, start, end: start + jointSizes.image }]);
  } else {
    for (let block = 0; block < jointSizes.blocks; block++) {
      const change = byHand?.block === block ? byHand : undefined;
      [image, words] = builder.scope(`blocks.${block}`, () =>
        twoStreams(change?.entering?.(image) ?? image, words, weights, options, change),
      );
    }
  }
  const velocity = conv2d(
    reshape(swapLast(image), [2, 8, jointSizes.height, jointSizes.width]),
    weights([4, 8, 1, 1]),
  );
  return builder.build({ velocity }, { name: "joint" });
}

type Weights = (shape: readonly number[]) => Value;

function weightsOf(builder: Builder): Weights {
  let stream = 0;
  return (shape) => {
    const data = new Float64Array(sizeOf(shape));
    philox(5, stream++).fillNormal(data);
    const scale = 1.5 / Math.sqrt(shape[shape.length === 4 ? 1 : 0]);
    return builder.constant(
      constantOf(
        "float32",
        shape,
        data.map((x) => scale * x),
      ),
    );
  };
}

/** x over the root mean square of its channels. */
function normal(x: Value): Value {
  return div(x, sqrt(add(reduceMean(mul(x, x), [x.shape.length - 1], { keep: true }), 1e-6)));
}

function twoStreams(
  image: Value,
  words: Value,
  weights: Weights,
  { textFirst = false, queryNorm = false }: JointOptions,
  change: ByHand | undefined,
): [Value, Value] {
  const { builder } = image;
  const [imageIn, wordsIn] = [normal(image), normal(words)];
  const order = <T>(a: T, b: T): T[] => (textFirst ? [b, a] : [a, b]);
  const attended = builder.scope("attn", () => {
    const [q, k, v] = [0, 1, 2].map((which) => {
      const own = matmul(imageIn, weights([8, 8]));
      const a = which === 0 ? (change?.queries?.(own) ?? own) : own;
      const b = matmul(wordsIn, weights([8, 8]));
      const parts = order(a, b).map(heads);
      return concat(queryNorm && which < 2 ? parts.map(normal) : parts, 2);
    });
    const merged = attend(q, k, v, change);
    const start = textFirst ? jointSizes.text : 0;
    const cut = textFirst ? jointSizes.text : jointSizes.image;
    const imagePart = slice(merged, [{ axis: 1, start, end: start + jointSizes.image }]);
    const wordsPart = slice(merged, [
      textFirst ? { axis: 1, start: 0, end: cut } : { axis: 1, start: cut, end: merged.shape[1] },
    ]);
    const bias = weights([8]);
    const out = add(matmul(imagePart, weights([8, 8])), bias);
    return [change?.imageAttention?.(out, imageIn) ?? out, matmul(wordsPart, weights([8, 8]))];
  });
  const image1 = add(image, attended[0]);
  const words1 = add(words, attended[1]);
  const forward = builder.scope("ff", () => feedForward(normal(image1), weights));
  const imageOut = add(image1, change?.imageForward?.(forward, normal(image1)) ?? forward);
  const wordsOut = add(
    words1,
    builder.scope("ff_context", () => feedForward(normal(words1), weights)),
  );
  return change?.skip ? [image, words] : [imageOut, wordsOut];
}

function oneBlock(all: Value, weights: Weights, change: ByHand | undefined): [Value] {
  const entering = change?.entering?.(all) ?? all;
  const x = normal(entering);
  const attended = entering.builder.scope("attn", () => {
    const [q, k, v] = [0, 1, 2].map(() => matmul(x, weights([8, 8])));
    const queries = change?.queries?.(q) ?? q;
    const out = matmul(attend(heads(queries), heads(k), heads(v), change), weights([8, 8]));
    return change?.imageAttention?.(out, x) ?? out;
  });
  const middle = add(entering, attended);
  const forward = entering.builder.scope("ff", () => feedForward(normal(middle), weights));
  if (change?.skip) return [all];
  return [add(middle, change?.imageForward?.(forward, normal(middle)) ?? forward)];
}

function feedForward(x: Value, weights: Weights): Value {
  return matmul(silu(matmul(x, weights([8, 16]))), weights([16, 8]));
}

/** [batch, tokens, heads * size] to [batch, heads, tokens, size]. */
function heads(x: Value): Value {
  const { heads: count, headSize } = jointSizes;
  return transpose(reshape(x, [x.shape[0], x.shape[1], count, headSize]), [0, 2, 1, 3]);
}

function attend(q: Value, k: Value, v: Value, change: ByHand | undefined): Value {
  const scaled = mul(matmul(q, swapLast(k)), 1 / Math.sqrt(jointSizes.headSize));
  const map = softmax(change?.scores?.(scaled) ?? scaled);
  const context = matmul(change?.map?.(map) ?? map, v);
  return reshape(transpose(context, [0, 2, 1, 3]), [q.shape[0], q.shape[2], -1]);
}
