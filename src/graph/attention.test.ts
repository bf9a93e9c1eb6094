import { describe, expect, test } from "vitest";
import { int, string } from "./attributes.ts";
import { type AttentionLayer, attentionLayers } from "./attention.ts";
import { Builder, trace } from "./builder.ts";
import { constantOf } from "./constant.ts";
import type { Graph } from "./graph.ts";
import { conv2d } from "./ops/conv.ts";
import { add, cast, div, exp, mul, sigmoid, sub, where } from "./ops/elementwise.ts";
import { slice } from "./ops/indexing.ts";
import { matmul } from "./ops/linear.ts";
import { softmax } from "./ops/normalise.ts";
import { reduceMax, reduceMean, reduceSum } from "./ops/reduce.ts";
import { concat, reshape, split, swapLast, transpose } from "./ops/reshape.ts";
import type { Value } from "./value.ts";

/** A weight of which no number is 0. */
const weight = (like: Value, ...shape: number[]): Value =>
  like.builder.constant(
    constantOf(
      "float32",
      shape,
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + shape.length)),
    ),
  );

const einsum = (equation: string, a: Value, b: Value): Value =>
  a.builder.apply("Einsum", [a, b], { attributes: { equation: string(equation) } })[0];

const heads = (x: Value, count = 2): Value =>
  transpose(reshape(x, [x.shape[0], x.shape[1], count, -1]), [0, 2, 1, 3]);

const scaled = (scores: Value): Value => mul(scores, 0.5);

const token = { x: { shape: [3, 6, 8] }, text: { shape: [3, 4, 8] } };

/** The layers of a network of x [3, 6, 8] (and text [3, 4, 8]). */
function layersOf(network: (x: Value, text: Value) => Value): readonly AttentionLayer[] {
  return attentionLayers(trace(token, ({ x, text }) => ({ y: network(x, text) })));
}

const project = (x: Value, width = 8): Value => matmul(x, weight(x, x.shape.at(-1)!, width));

/** q, k and v of x by heads: [3, 2, 6, 4]. */
const projected = (x: Value): Value[] => [8, 8, 8].map((width, i) => heads(add(project(x, width), i)));

const self = { kind: "self", heads: 2, headSize: 4, queries: 6, keys: 6, masked: false } as const;

describe("an attention is found", () => {
  test.each<[string, (x: Value) => Value]>([
    [
      "with the scale behind the scores",
      (x) => {
        const [q, k, v] = projected(x);
        return matmul(softmax(scaled(matmul(q, swapLast(k)))), v);
      },
    ],
    [
      "with the scale split on queries and keys",
      (x) => {
        const [q, k, v] = projected(x);
        return matmul(softmax(matmul(mul(q, 0.7), swapLast(mul(k, 0.7)))), v);
      },
    ],
    [
      "with the scale in the weights",
      (x) => {
        const [q, k, v] = projected(x);
        return matmul(softmax(matmul(q, swapLast(k))), v);
      },
    ],
    [
      "with heads in the batch",
      (x) => {
        const [q, k, v] = projected(x).map((part) => reshape(part, [6, 6, 4]));
        return matmul(softmax(scaled(matmul(q, transpose(k, [0, 2, 1])))), v);
      },
    ],
    [
      "of one projection cut in three",
      (x) => {
        const [q, k, v] = split(project(x, 24), 2, [8, 8, 8]).map((part) => heads(part));
        return matmul(softmax(scaled(matmul(q, swapLast(k)))), v);
      },
    ],
    [
      "of one projection with three on an axis",
      (x) => {
        const qkv = transpose(reshape(project(x, 24), [3, 6, 3, 2, 4]), [2, 0, 3, 1, 4]);
        const [q, k, v] = [0, 1, 2].map((i) =>
          reshape(slice(qkv, [{ axis: 0, start: i, end: i + 1 }]), [3, 2, 6, 4]),
        );
        return matmul(softmax(scaled(matmul(q, swapLast(k)))), v);
      },
    ],
    [
      "with scores and result by Einsum",
      (x) => {
        const [q, k, v] = [0, 1, 2].map((i) => reshape(add(project(x), i), [3, 6, 2, 4]));
        return einsum("bhqk,bkhd->bqhd", softmax(scaled(einsum("bqhd,bkhd->bhqk", q, k))), v);
      },
    ],
    [
      "with channels before tokens, heads in the batch",
      (x) => {
        const [q, k, v] = projected(x).map((part) => reshape(swapLast(part), [6, 4, 6]));
        return einsum("bts,bcs->bct", softmax(einsum("bct,bcs->bts", q, k)), v);
      },
    ],
    [
      "with the transposed map on the right",
      (x) => {
        const [q, k, v] = projected(x);
        return matmul(swapLast(v), swapLast(softmax(scaled(matmul(q, swapLast(k))))));
      },
    ],
    [
      "with casts around the softmax",
      (x) => {
        const [q, k, v] = projected(x);
        const map = cast(softmax(cast(scaled(matmul(q, swapLast(k))), "float64")), "float32");
        return matmul(map, v);
      },
    ],
    [
      "with NaN replaced",
      (x) => {
        const [q, k, v] = projected(x);
        const map = softmax(matmul(q, swapLast(k)));
        const isNaN = map.builder.apply("IsNaN", [map])[0];
        return matmul(where(isNaN, 0, map), v);
      },
    ],
    [
      "with the softmax written out",
      (x) => {
        const [q, k, v] = projected(x);
        const logits = scaled(matmul(q, swapLast(k)));
        const raised = exp(sub(logits, reduceMax(logits, [3], { keep: true })));
        return matmul(div(raised, reduceSum(raised, [3], { keep: true })), v);
      },
    ],
    [
      "with queries and keys divided by their size",
      (x) => {
        const [q, k, v] = projected(x).map((part, i) =>
          i === 2 ? part : div(part, reduceSum(mul(part, part), [3], { keep: true })),
        );
        return matmul(softmax(matmul(q, swapLast(k))), v);
      },
    ],
  ])("%s", (_, network) => {
    const found = layersOf(network);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject(self);
  });

  test("of a text, as cross-attention", () => {
    const [layer] = layersOf((x, text) => {
      const [q, k, v] = [x, text, text].map((part) => heads(project(part)));
      return matmul(softmax(scaled(matmul(q, swapLast(k)))), v);
    });
    expect(layer).toMatchObject({ ...self, kind: "cross", keys: 4 });
  });

  test.each<[string, (scores: Value) => Value]>([
    ["added", (scores) => add(scores, weight(scores, 6, 6))],
    ["put in their place", (scores) => where(weightMask(scores), scores, -1e9)],
  ])("with a mask %s", (_, masked) => {
    const [layer] = layersOf((x) => {
      const [q, k, v] = projected(x);
      return matmul(softmax(masked(scaled(matmul(q, swapLast(k))))), v);
    });
    expect(layer).toMatchObject({ ...self, masked: true });
  });

  test("of one head without an axis for heads, and of learned queries (pooling)", () => {
    const [single] = layersOf((x) => {
      const [q, k, v] = [0, 1, 2].map((i) => add(project(x), i));
      return matmul(softmax(scaled(matmul(q, swapLast(k)))), v);
    });
    expect(single).toMatchObject({ ...self, heads: 1, headSize: 8 });
    const [pooling] = layersOf((x) => {
      const [k, v] = [0, 1].map((i) => add(project(x), i));
      return matmul(softmax(matmul(weight(x, 1, 8), swapLast(k))), v);
    });
    expect(pooling).toMatchObject({ kind: "cross", queries: 1, keys: 6 });
  });

  test("in a pixel network, with q, k and v of one convolution", () => {
    const graph = trace({ x: { shape: [3, 8, 2, 3] } }, ({ x }) => {
      const qkv = reshape(conv2d(x, weight(x, 24, 8, 1, 1)), [3, 3, 8, 6]);
      const [q, k, v] = [0, 1, 2].map((i) =>
        reshape(slice(qkv, [{ axis: 1, start: i, end: i + 1 }]), [6, 4, 6]),
      );
      return {
        y: einsum("ncq,nck->nqk", q, k),
        z: matmul(v, swapLast(softmax(einsum("ncq,nck->nqk", q, k)))),
      };
    });
    expect(attentionLayers(graph)).toMatchObject([self]);
  });

  test.each([
    ["com.microsoft", "MultiHeadAttention", "num_heads"],
    ["", "Attention", "q_num_heads"],
  ])("as one operator: %s %s", (domain, op, attribute) => {
    const fused = oneOperator(domain, op, attribute);
    expect(attentionLayers(fused)).toMatchObject([{ ...self, name: "blocks.0.attn" }]);
  });
});

/** A graph of one fused attention, written down as a file would have it: whether operators have rules does not matter. */
function oneOperator(domain: string, op: string, attribute: string): Graph {
  const names = ["q", "k", "v"];
  const builder = new Builder();
  const x = builder.input("x", "float32", [3, 6, 8]);
  const parts = Object.fromEntries(names.map((name, i) => [name, add(project(x), i)]));
  const before = builder.build(parts);
  const attention = {
    op,
    domain,
    name: "/blocks.0/attn/Attention",
    inputs: names,
    outputs: ["y"],
    attributes: { [attribute]: int(2), ...(domain === "" && { kv_num_heads: int(2) }) },
  };
  return {
    ...before,
    opset: 23,
    nodes: [...before.nodes, attention],
    outputs: [{ name: "y", dtype: "float32", shape: [3, 6, 8] }],
  };
}

const weightMask = (like: Value): Value =>
  like.builder.literal(
    Array.from({ length: 36 }, (_, i) => Number(i % 6 <= i / 6)),
    "bool",
    [6, 6],
  );

describe("no attention is", () => {
  test.each<[string, (x: Value, text: Value) => Value]>([
    ["a classifier", (x) => softmax(add(project(x), weight(x, 8)))],
    [
      "a classifier whose probabilities pick from a table",
      (x) => matmul(softmax(project(x, 5)), weight(x, 5, 8)),
    ],
    ["a classifier that mixes what depends on the input", (x, text) => matmul(softmax(project(x, 4)), text)],
    ["a squeeze-and-excitation gate", (x) => mul(x, sigmoid(project(reduceMean(x, [1], { keep: true }))))],
    ["attention of a constant map", (x) => matmul(softmax(weight(x, 6, 6)), x)],
    [
      "linear attention, whose softmax is of keys alone",
      (x) => matmul(softmax(project(x)), matmul(swapLast(project(x)), x)),
    ],
    ["pooling by scores of one layer", (x) => matmul(swapLast(softmax(project(x, 1), 1)), x)],
    [
      "a gate of softmax times values by element",
      (x) => mul(softmax(matmul(x, swapLast(x))), matmul(x, swapLast(x))),
    ],
    ["a product with a table", (x) => matmul(softmax(matmul(x, swapLast(x))), weight(x, 6, 8))],
    ["a map on the wrong side of values", (x) => matmul(swapLast(x), softmax(matmul(x, swapLast(x))))],
    ["a joined softmax", (x) => concat([softmax(matmul(x, swapLast(x))), x], 2)],
  ])("%s", (_, network) => {
    expect(layersOf(network)).toEqual([]);
  });
});

describe("names", () => {
  /** The same attention with nodes called otherwise. */
  const named = (name: string, metadata?: Record<string, string>): AttentionLayer => {
    const graph = trace(token, ({ x }) => {
      const [q, k, v] = projected(x);
      return { y: matmul(softmax(matmul(q, swapLast(k))), v) };
    });
    const nodes = graph.nodes.map((node) => (node.op === "Softmax" ? { ...node, name, metadata } : node));
    return attentionLayers({ ...graph, nodes })[0];
  };

  test.each([
    ["/mid_block/attentions.0/attn1/Softmax", undefined, "mid_block.attentions.0.attn1", "mid", 0],
    [
      "node_Softmax_3",
      {
        "pkg.torch.onnx.name_scopes":
          "['', 'up_blocks.2', 'up_blocks.2.attentions.0', 'scaled_dot_product_attention_3']",
      },
      "up_blocks.2.attentions.0",
      "up",
      2,
    ],
    [
      "node_Softmax_3",
      { namespace: ": Model/layers.11: my.Block/layers.11.attn: my.Attention/softmax: aten.softmax.int" },
      "layers.11.attn",
      null,
      11,
    ],
    ["output_blocks.3/attention/softmax", undefined, "output_blocks.3/attention", "up", 3],
    ["Softmax_12", undefined, "Softmax_12", null, 0],
  ] as const)("%s %o is %s", (node, metadata, name, position, block) => {
    expect(named(node, metadata)).toMatchObject({ name, position, block });
  });

  test("come from weights where nodes have none", () => {
    const builder = new Builder();
    const x = builder.input("x", "float32", [3, 6, 8]);
    const graph = builder.build({ y: x });
    const bias = (name: string): [string, ReturnType<typeof constantOf>] => [
      name,
      constantOf("float32", [8], [0]),
    ];
    const node = (op: string, inputs: string[], output: string): Graph["nodes"][number] => ({
      op,
      domain: "",
      name: `n_${output}`,
      inputs,
      outputs: [output],
      attributes: {},
    });
    const nodes = ["q", "k", "v"].flatMap((part) => [
      node("MatMul", ["x", "w"], `${part}0`),
      node("Add", [`${part}0`, `encoder.layers.4.attention.${part}_proj.bias`], part),
    ]);
    const rest = [
      node("Transpose", ["k"], "kt"),
      node("MatMul", ["q", "kt"], "s"),
      node("Softmax", ["s"], "p"),
      node("MatMul", ["p", "v"], "y"),
    ];
    const initializers = new Map([
      ["w", constantOf("float32", [8, 8], new Array<number>(64).fill(1))],
      ...["q", "k", "v"].map((part) => bias(`encoder.layers.4.attention.${part}_proj.bias`)),
    ]);
    const found = attentionLayers({ ...graph, nodes: [...nodes, ...rest], initializers });
    expect(found).toMatchObject([{ name: "encoder.layers.4.attention", block: 4 }]);
  });
});

test("numbers that need shapes are null before dimensions are bound", () => {
  const graph = trace(token, ({ x }) => {
    const [q, k, v] = projected(x);
    return { y: matmul(softmax(matmul(q, swapLast(k))), v) };
  });
  const open = {
    ...graph,
    inputs: graph.inputs.map((input) => ({ ...input, shape: ["batch", "tokens", 8] })),
  };
  expect(attentionLayers(open)).toMatchObject([{ kind: "self", heads: null, headSize: null, queries: null }]);
});
