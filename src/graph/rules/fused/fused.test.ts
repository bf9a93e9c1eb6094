import { type Attribute } from "../../graph.ts";
import { float, floats, int, ints, string } from "../../attributes.ts";
import { cast, mul } from "../../ops/elementwise.ts";
import { reshape } from "../../ops/reshape.ts";
import type { Value } from "../../value.ts";
import { type GradientCase, gradientSuite } from "../gradients.cases.ts";

/** One com.microsoft operator on the inputs, in their order; integers are int32 unless called "long", one called "_" is absent. */
const call =
  (op: string, attributes: Record<string, Attribute> = {}, { domain = "com.microsoft", outputs = 1 } = {}) =>
  (values: Record<string, Value>): Value => {
    const { builder } = Object.values(values)[0];
    const inputs = Object.entries(values).map(([name, value]) =>
      name.startsWith("_")
        ? null
        : value.dtype === "int64" && !name.startsWith("long")
          ? cast(value, "int32")
          : value,
    );
    return builder.apply(op, inputs, { domain, attributes, outputs })[0];
  };

const integers = (shape: number[], data: number[]): { shape: number[]; data: number[]; kind: "integer" } => ({
  shape,
  data,
  kind: "integer",
});
const absent = [1];
/** Small ones, so that no softmax is so sharp that float32 tells little of it. */
const weights = (shape: number[]): { shape: number[]; from: number; to: number } => ({
  shape,
  from: -0.5,
  to: 0.5,
});

const activations: readonly GradientCase[] = [
  { name: "Gelu", inputs: { x: [3, 4] }, network: call("Gelu") },
  { name: "BiasGelu", inputs: { x: [2, 3, 4], b: [4] }, network: call("BiasGelu") },
  { name: "FastGelu", inputs: { x: [3, 4] }, network: call("FastGelu") },
  { name: "FastGelu with a bias", inputs: { x: [3, 4], b: [4] }, network: call("FastGelu") },
];

const products: readonly GradientCase[] = [
  {
    name: "FusedMatMul",
    inputs: { a: [2, 3, 4], b: [4, 2] },
    network: call("FusedMatMul", { alpha: float(0.5) }),
  },
  {
    name: "FusedMatMul of turned operands",
    inputs: { a: [2, 4, 3], b: [2, 5, 4] },
    network: call("FusedMatMul", { transA: int(1), transB: int(1) }),
  },
  {
    name: "FusedMatMul with the batch axes of a turned",
    inputs: { a: [3, 2, 4], b: [2, 4, 5] },
    network: call("FusedMatMul", { transBatchA: int(1) }),
  },
  {
    name: "FusedMatMul with everything turned",
    inputs: { a: [4, 2, 3], b: [5, 2, 4] },
    network: call("FusedMatMul", {
      transBatchA: int(1),
      transA: int(1),
      transBatchB: int(1),
      transB: int(1),
      alpha: float(-2),
    }),
  },
  {
    name: "FusedMatMul with two batch axes of b turned",
    inputs: { a: [2, 3, 2, 4], b: [4, 2, 3, 5] },
    network: call("FusedMatMul", { transBatchB: int(1) }),
  },
  {
    name: "TransposeMatMul",
    inputs: { a: [3, 4], b: [5, 4] },
    network: call("TransposeMatMul", { transB: int(1) }),
  },
  {
    name: "FusedGemm with LeakyRelu",
    inputs: { a: [3, 4], b: [5, 4], c: [5] },
    network: call("FusedGemm", {
      transB: int(1),
      activation: string("LeakyRelu"),
      activation_alpha: float(0.2),
      alpha: float(0.5),
    }),
    second: false,
  },
];

const x = [2, 3, 5, 5];
const w = [4, 3, 3, 3];
const padded = { pads: ints([1, 1, 1, 1]), kernel_shape: ints([3, 3]) };
const convolutions: readonly GradientCase[] = [
  {
    name: "FusedConv with Relu",
    inputs: { x, w, b: [4] },
    network: call("FusedConv", { ...padded, activation: string("Relu") }),
    second: false,
  },
  {
    name: "FusedConv of a sum, with Tanh",
    inputs: { x, w, b: [4], z: [2, 4, 5, 5] },
    network: call("FusedConv", { ...padded, activation: string("Tanh") }),
  },
  {
    name: "FusedConv with HardSigmoid",
    inputs: { x, w },
    network: call("FusedConv", {
      ...padded,
      activation: string("HardSigmoid"),
      activation_params: floats([0.05, 0.5]),
    }),
    second: false,
  },
  {
    name: "FusedConv with Clip",
    inputs: { x, w },
    network: call("FusedConv", { ...padded, activation: string("Clip"), activation_params: floats([-1, 2]) }),
    second: false,
  },
];

const norms: readonly GradientCase[] = [
  {
    name: "SkipLayerNormalization",
    inputs: { x: [2, 3, 4], s: [2, 3, 4], g: [4], b: [4], c: [4] },
    network: call("SkipLayerNormalization", { epsilon: float(0.01) }),
  },
  {
    name: "SkipLayerNormalization of a common skip",
    inputs: { x: [2, 3, 4], s: [3, 4], g: [4] },
    network: call("SkipLayerNormalization", { epsilon: float(0.01) }),
  },
  {
    name: "EmbedLayerNormalization",
    inputs: {
      words: integers([2, 3], [0, 4, 2, 1, 1, 3]),
      segments: integers([2, 3], [0, 0, 1, 0, 1, 1]),
      w: [5, 4],
      p: [6, 4],
      s: [2, 4],
      g: [4],
      b: [4],
      mask: integers([2, 3], [1, 1, 0, 1, 1, 1]),
    },
    network: call("EmbedLayerNormalization", { epsilon: float(0.01) }, { outputs: 2 }),
  },
  {
    name: "the lengths that EmbedLayerNormalization counts",
    inputs: {
      words: integers([2, 3], [0, 4, 2, 1, 1, 3]),
      _s: absent,
      w: [5, 4],
      p: [6, 4],
      _e: absent,
      g: [4],
      b: [4],
      mask: integers([2, 3], [1, 1, 0, 1, 1, 1]),
    },
    network: (values) => {
      const y = call("EmbedLayerNormalization", { epsilon: float(0.01) }, { outputs: 2 })(values);
      return mul(y, reshape(cast(y.call!.outputs[1], y.dtype), [2, 1, 1]));
    },
  },
  {
    name: "SkipSimplifiedLayerNormalization",
    inputs: { x: [2, 3, 4], s: [2, 3, 4], g: [4], b: [4] },
    network: call("SkipSimplifiedLayerNormalization", { epsilon: float(0.01) }),
  },
  {
    name: "SimplifiedLayerNormalization",
    inputs: { x: [2, 3, 4], g: [4] },
    network: call("SimplifiedLayerNormalization", { epsilon: float(0.01), axis: int(-1) }, { domain: "" }),
  },
  {
    name: "SimplifiedLayerNormalization over two axes",
    inputs: { x: [2, 3, 4], g: [3, 4] },
    network: call("SimplifiedLayerNormalization", { epsilon: float(0.01), axis: int(1) }, { domain: "" }),
  },
];

const heads = { num_heads: int(2) };
const q = [2, 3, 4];
const k = [2, 5, 4];
const attention: readonly GradientCase[] = [
  { name: "MultiHeadAttention", inputs: { q, k, v: [2, 5, 6] }, network: call("MultiHeadAttention", heads) },
  {
    name: "MultiHeadAttention with biases and a scale",
    inputs: { q, k, v: [2, 5, 6], b: [14] },
    network: call("MultiHeadAttention", { ...heads, scale: float(0.3) }),
  },
  {
    name: "MultiHeadAttention of keys and values by heads",
    inputs: { q, k: [2, 2, 5, 2], v: [2, 2, 5, 2] },
    network: call("MultiHeadAttention", heads),
  },
  {
    name: "MultiHeadAttention with a padding mask",
    inputs: { q, k, v: k, _b: absent, m: integers([2, 5], [1, 1, 1, 0, 0, 1, 0, 1, 1, 1]) },
    network: call("MultiHeadAttention", { ...heads, mask_filter_value: float(-2) }),
  },
  {
    name: "MultiHeadAttention with a bias of the logits",
    inputs: { q, k, v: k, _b: absent, _m: absent, a: [1, 2, 3, 5] },
    network: call("MultiHeadAttention", heads),
  },
  {
    name: "MultiHeadAttention with earlier keys",
    inputs: { q, k: q, v: q, _b: absent, _m: absent, _a: absent, pk: [2, 2, 4, 2], pv: [2, 2, 4, 2] },
    network: call("MultiHeadAttention", heads, { outputs: 3 }),
  },
  {
    name: "MultiHeadAttention that looks back only",
    inputs: { q: k, k, v: k },
    network: call("MultiHeadAttention", { ...heads, unidirectional: int(1) }),
  },
  {
    name: "Attention",
    inputs: { x: [2, 3, 4], w: weights([4, 12]), b: [12] },
    network: call("Attention", heads),
  },
  {
    name: "Attention with other sizes",
    inputs: { x: [2, 3, 4], w: weights([4, 14]), b: [14] },
    network: call("Attention", { ...heads, qkv_hidden_sizes: ints([4, 4, 6]) }),
  },
  {
    name: "Attention with a mask",
    inputs: { x: [2, 3, 4], w: weights([4, 12]), b: [12], m: integers([2, 3], [1, 1, 0, 0, 1, 1]) },
    network: call("Attention", { ...heads, mask_filter_value: float(-3) }),
  },
  {
    name: "Attention with ends",
    inputs: { x: [2, 3, 4], w: weights([4, 12]), b: [12], m: integers([2], [2, 3]) },
    network: call("Attention", heads),
  },
  {
    name: "Attention with ends and starts",
    inputs: { x: [2, 3, 4], w: weights([4, 12]), b: [12], m: integers([4], [3, 3, 1, 0]) },
    network: call("Attention", heads),
  },
  {
    name: "Attention with a mask of each query",
    inputs: { x: [2, 2, 4], w: weights([4, 12]), b: [12], m: integers([2, 2, 2], [1, 0, 1, 1, 1, 1, 0, 1]) },
    network: call("Attention", heads),
  },
  {
    name: "Attention that looks back only",
    inputs: { x: [2, 3, 4], w: weights([4, 12]), b: [12] },
    network: call("Attention", { ...heads, unidirectional: int(1) }),
  },
  {
    name: "Attention with earlier tokens",
    inputs: { x: [2, 3, 4], w: weights([4, 12]), b: [12], _m: absent, p: [2, 2, 2, 4, 2] },
    network: call("Attention", { ...heads, unidirectional: int(1) }, { outputs: 2 }),
  },
];

const lengths = { last: integers([2], [1, 2]), total: integers([], [3]) };
const groups = { num_heads: int(4), kv_num_heads: int(2) };
const byGroups = { q: [2, 3, 32], k: [2, 3, 16], v: [2, 3, 16], _pk: absent, _pv: absent, ...lengths };
const groupQueries: readonly GradientCase[] = [
  {
    name: "GroupQueryAttention",
    inputs: byGroups,
    network: call("GroupQueryAttention", groups),
    second: false,
  },
  {
    name: "GroupQueryAttention of packed queries, keys and values",
    inputs: { qkv: [2, 3, 64], _k: absent, _v: absent, _pk: absent, _pv: absent, ...lengths },
    network: call("GroupQueryAttention", { ...groups, causal: int(0) }),
    second: false,
  },
  {
    name: "GroupQueryAttention in a window, with a soft cap and biases",
    inputs: {
      ...byGroups,
      last: integers([2], [2, 2]),
      _c: absent,
      _s: absent,
      _p: absent,
      bias: [1, 4, 3, 3],
    },
    network: call("GroupQueryAttention", {
      ...groups,
      local_window_size: int(2),
      softcap: float(0.5),
      scale: float(0.1),
    }),
    second: false,
  },
  {
    name: "GroupQueryAttention with rotary embeddings",
    inputs: {
      q: [1, 3, 64],
      k: [1, 3, 16],
      v: [1, 3, 16],
      _pk: absent,
      _pv: absent,
      last: integers([1], [2]),
      total: integers([], [3]),
      cos: [8, 8],
      sin: [8, 8],
    },
    network: call("GroupQueryAttention", {
      num_heads: int(4),
      kv_num_heads: int(1),
      do_rotary: int(1),
      rotary_interleaved: int(1),
    }),
    second: false,
  },
];

const places = integers([2, 3], [0, 1, 2, 3, 1, 0]);
const rotary: readonly GradientCase[] = [
  {
    name: "RotaryEmbedding",
    inputs: { x: [2, 3, 8], long: places, c: [4, 2], s: [4, 2] },
    network: call("RotaryEmbedding"),
  },
  {
    name: "RotaryEmbedding of neighbours, by heads",
    inputs: { x: [2, 2, 3, 4], long: places, c: [4, 2], s: [4, 2] },
    network: call("RotaryEmbedding", { interleaved: int(1) }),
  },
  {
    name: "RotaryEmbedding of a part, from a place on",
    inputs: { x: [2, 3, 12], long: integers([1], [1]), c: [4, 2], s: [4, 2] },
    network: call("RotaryEmbedding", { num_heads: int(2), rotary_embedding_dim: int(4) }),
  },
];

gradientSuite([
  ...activations,
  ...products,
  ...convolutions,
  ...norms,
  ...attention,
  ...groupQueries,
  ...rotary,
]);
