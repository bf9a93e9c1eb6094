import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import { sizeOf } from "../../base/tensor.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { Builder } from "../builder.ts";
import { constantOf } from "../constant.ts";
import type { Graph } from "../graph.ts";
import { add, cast, div, mul, where } from "../ops/elementwise.ts";
import { matmul } from "../ops/linear.ts";
import { softmax } from "../ops/normalise.ts";
import { expand, reshape, transpose } from "../ops/reshape.ts";
import type { Value } from "../value.ts";
import { attention } from "./attention.ts";
import { nanGuard, nothing } from "./guards.ts";
import { optimise } from "./optimise.ts";
import type { Rewrite } from "./rewrite.ts";

const [BATCH, HEADS, SIZE] = [2, 2, 4];
const WIDTH = HEADS * SIZE;
const runtime = nodeRuntime({ threads: 1 });

interface Sizes {
  readonly queries: number;
  readonly keys: number;
}
const small: Sizes = { queries: 6, keys: 5 };
/** As many as the operator that holds no map is for. */
const large: Sizes = { queries: 1024, keys: 1030 };

/** y = f(q, k, v) of [batch, tokens, width] each. */
function graphOf(
  f: (q: Value, k: Value, v: Value) => Record<string, Value>,
  { queries, keys } = small,
): Graph {
  const builder = new Builder();
  const [q, k, v] = [queries, keys, keys].map((tokens, i) =>
    builder.input("qkv"[i], "float32", [BATCH, tokens, WIDTH]),
  );
  return builder.build(f(q, k, v), { keepInputs: true });
}

const heads = (x: Value): Value => transpose(reshape(x, [BATCH, -1, HEADS, SIZE]), [0, 2, 1, 3]);
const merge = (x: Value): Value => reshape(transpose(x, [0, 2, 1, 3]), [BATCH, -1, WIDTH]);

/** The forms in which exporters write softmax(q k' / 2) v. */
const forms: Record<string, (q: Value, k: Value, v: Value) => Value> = {
  "scales on queries and keys": (q, k, v) => {
    const turned = transpose(reshape(k, [BATCH, -1, HEADS, SIZE]), [0, 2, 3, 1]);
    const scores = matmul(mul(heads(q), Math.SQRT1_2), mul(turned, Math.SQRT1_2));
    return merge(matmul(softmax(scores), heads(v)));
  },
  "batch and heads as one axis, a mask of zeros made at run time": (q, k, v) => {
    const fold = (x: Value): Value => reshape(heads(x), [BATCH * HEADS, -1, SIZE]);
    const scores = div(matmul(fold(q), transpose(fold(k), [0, 2, 1])), 2);
    const zeros = mul(expand(q.builder.literal(0), scores.shape), 0);
    const context = matmul(softmax(add(scores, zeros)), fold(v));
    return merge(reshape(context, [BATCH, HEADS, -1, SIZE]));
  },
  "keys turned with batch and heads as one axis, NaN replaced": (q, k, v) => {
    const turned = transpose(reshape(heads(k), [BATCH * HEADS, -1, SIZE]), [0, 2, 1]);
    const map = softmax(matmul(mul(heads(q), 0.5), reshape(turned, [BATCH, HEADS, SIZE, -1])));
    return merge(matmul(withoutNaN(map), heads(v)));
  },
};

function withoutNaN(x: Value): Value {
  return where(x.builder.apply("IsNaN", [x])[0], 0, x);
}

const operators = (graph: Graph): string[] =>
  graph.nodes.map(({ op }) => op).filter((op) => op !== "Identity");

/** Runs a graph and its optimised form on the same numbers. */
async function expectSame(graph: Graph, optimised: Graph): Promise<void> {
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, shape }, i) => {
      const data = new Float32Array(sizeOf(shape as number[]));
      philox(5, i).fillNormal(data);
      return [name, { data, shape: shape as number[] }];
    }),
  );
  const results = await Promise.all(
    [graph, optimised].map(async (each) => {
      const program = await runtime.compile(each);
      const result = await program.run(feeds);
      await program.dispose();
      return result;
    }),
  );
  for (const name of Object.keys(results[0])) {
    expect(results[1][name].shape).toEqual(results[0][name].shape);
    expect(results[1][name].data).toBeAllClose(results[0][name].data, { abs: 1e-5 });
  }
}

describe.each(Object.entries(forms))("attention with %s", (_, form) => {
  test.each([
    ["few tokens", small, "Attention"],
    ["many tokens", large, "MultiHeadAttention"],
  ])("of %s is one operator with the same numbers", async (_few, sizes, op) => {
    const graph = graphOf((q, k, v) => ({ y: form(q, k, v) }), sizes);
    const optimised = optimise(graph);
    expect(operators(optimised)).toEqual([op]);
    await expectSame(graph, optimised);
  });
});

describe("attention stays as it is", () => {
  const cases: Record<string, Graph> = {
    "where its map is an output": graphOf((q, k, v) => {
      const map = softmax(matmul(heads(q), transpose(heads(k), [0, 1, 3, 2])));
      return { y: merge(matmul(map, heads(v))), map };
    }),
    "where it is masked": graphOf((q, k, v) => {
      const logits = matmul(heads(q), transpose(heads(k), [0, 1, 3, 2]));
      const mask = q.builder.literal([0, 0, 0, 0, -Infinity]);
      return { y: merge(matmul(softmax(add(logits, mask)), heads(v))) };
    }),
  };
  test.each(Object.entries(cases))("%s", (_, graph) => {
    expect(operators(optimise(graph))).not.toContain("Attention");
  });
});

describe("what does nothing goes away", () => {
  const remaining = (f: (q: Value) => Value, rewrite: Rewrite): string[] =>
    operators(
      optimise(
        graphOf((q) => ({ y: f(mul(q, 3)) })),
        [rewrite],
      ),
    );

  test("sums with 0, products with 1, casts to the same type", () => {
    const zeros = (q: Value, shape: number[]): Value =>
      q.builder.constant(constantOf("float32", shape, new Float32Array(sizeOf(shape))));
    expect(remaining((x) => mul(x, 1), nothing)).toEqual(["Mul"]);
    expect(remaining((x) => div(x, 1), nothing)).toEqual(["Mul"]);
    expect(remaining((x) => add(zeros(x, x.shape as number[]), x), nothing)).toEqual(["Mul"]);
    expect(remaining((x) => cast(cast(x, "float64"), "float64"), nothing)).toEqual(["Mul", "Cast"]);
  });

  test("but not those that make a tensor larger, or are no such sum", () => {
    const wide = (x: Value): Value =>
      x.builder.literal(new Array<number>(3).fill(0), "float32", [3, 1, 1, 1]);
    expect(remaining((x) => add(x, wide(x)), nothing)).toEqual(["Mul", "Add"]);
    expect(remaining((x) => div(1, x), nothing)).toEqual(["Mul", "Div"]);
    expect(remaining((x) => add(x, 1), nothing)).toEqual(["Mul", "Add"]);
  });

  test("a NaN guard behind a softmax, unless a mask can make a row NaN", async () => {
    const guarded = (mask: number[] | null): Graph =>
      graphOf((q, k) => {
        const logits = matmul(q, transpose(k, [0, 2, 1]));
        return { y: withoutNaN(softmax(mask ? add(logits, q.builder.literal(mask)) : logits)) };
      });
    for (const mask of [null, [0, 1, 0, 2, 0]]) {
      const graph = guarded(mask);
      const optimised = optimise(graph, [nanGuard]);
      expect(operators(optimised)).not.toContain("Where");
      await expectSame(graph, optimised);
    }
    const masked = guarded(new Array<number>(small.keys).fill(-Infinity));
    expect(operators(optimise(masked, [nanGuard, attention]))).toContain("Where");
  });
});

test("a dimension that is not bound is refused", () => {
  const graph = graphOf((q) => ({ y: mul(q, 2) }));
  const open = {
    ...graph,
    inputs: graph.inputs.map((type) => ({ ...type, shape: ["batch", ...type.shape.slice(1)] })),
  };
  expect(() => optimise(open)).toThrow(/dimension "batch" of input "q" is not known/);
});
