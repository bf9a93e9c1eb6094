import { expect, test } from "vitest";
import { nodeRuntime } from "../../runtime/node.ts";
import { float, int } from "../attributes.ts";
import { Builder, trace } from "../builder.ts";
import type { Attribute } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { add, greater, mul } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { type GradientCase, gradientSuite } from "./gradients.cases.ts";

type Attributes = Readonly<Record<string, Attribute>>;

const attend = (
  inputs: readonly (Value | null)[],
  attributes: Attributes = {},
  outputs = 1,
): readonly Value[] => inputs[0]!.builder.apply("Attention", inputs, { attributes, outputs });

const byHeads = { q: [2, 4, 3, 2], k: [2, 4, 5, 2], v: [2, 4, 5, 3] };
const grouped = { q: [1, 4, 3, 2], k: [1, 2, 3, 2], v: [1, 2, 3, 2] };
const flat = { q: [2, 3, 8], k: [2, 4, 4], v: [2, 4, 6] };
const square = { q: [1, 2, 3, 2], k: [1, 2, 3, 2], v: [1, 2, 3, 2] };

function attention(name: string, inputs: GradientCase["inputs"], attributes: Attributes = {}): GradientCase {
  return {
    name,
    inputs,
    network: ({ q, k, v, mask }) => attend(mask ? [q, k, v, mask] : [q, k, v], attributes)[0],
    opset: 23,
  };
}

gradientSuite([
  attention("attention by heads", byHeads),
  attention("attention with its own scale", byHeads, { scale: float(0.5) }),
  attention("attention of heads that share keys", grouped),
  attention("attention of [batch, tokens, heads * size]", flat, {
    q_num_heads: int(4),
    kv_num_heads: int(2),
  }),
  attention("causal attention", square, { is_causal: int(1) }),
  attention("attention with capped logits", square, { softcap: float(0.75) }),
  attention("attention with a mask that is added", { ...byHeads, mask: [3, 5] }),
  {
    name: "attention with a mask of truth values",
    inputs: square,
    network: ({ q, k, v }) => {
      const seen = q.builder.literal([1, 1, 0, 0, 1, 1, 1, 0, 1], "bool", [3, 3]);
      return attend([q, k, v, seen])[0];
    },
    opset: 23,
  },
  {
    name: "causal attention after past keys",
    inputs: { ...square, pastKey: [1, 2, 2, 2], pastValue: [1, 2, 2, 2] },
    network: ({ q, k, v, pastKey, pastValue }) => {
      const [y, keys, values] = attend([q, k, v, null, pastKey, pastValue], { is_causal: int(1) }, 3);
      return add(y, mul(add(keys, values), 0.1).builder.apply("ReduceMean", [mul(keys, values)])[0]);
    },
    opset: 23,
  },
]);

test("a query that may see no key gives zeros", () => {
  const builder = new Builder(23);
  const { q, k, v } = Object.fromEntries(
    Object.entries(square).map(([name, shape]) => [name, builder.input(name, "float32", shape)]),
  );
  const [y] = attend([q, k, v, builder.literal([1, 1, 1, 0, 0, 0, 1, 0, 0], "bool", [3, 3])]);
  const data = Array.from({ length: 12 }, (_, i) => Math.sin(i));
  const given = { data, shape: [1, 2, 3, 2] };
  const found = interpret(builder.build({ y }), { q: given, k: given, v: given });
  expect(Array.from(found.y.data as Float64Array).slice(2, 4)).toEqual([0, 0]);
  expect(Array.from(found.y.data as Float64Array).slice(4, 6)).toBeAllClose(data.slice(0, 2), { rel: 1e-12 });
});

test.each([0, 1, 2, 3])("the logits of mode %i are ONNX Runtime's", async (mode) => {
  const builder = new Builder(24);
  const { q, k, v, mask } = Object.fromEntries(
    Object.entries({ ...square, mask: [3, 3] }).map(([name, shape]) => [
      name,
      builder.input(name, "float32", shape),
    ]),
  );
  const attributes = { qk_matmul_output_mode: int(mode), softcap: float(0.5) };
  const [y, , , logits] = attend([q, k, v, mask, null, null], attributes, 4);
  const graph = builder.build({ y, logits }, { keepInputs: true });
  const numbers = (count: number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1));
  const feeds = {
    ...Object.fromEntries(
      Object.entries(square).map(([name, shape]) => [name, { data: numbers(12), shape }]),
    ),
    mask: { data: numbers(9), shape: [3, 3] },
  };
  const program = await nodeRuntime({ threads: 1 }).compile(graph);
  const native = await program.run(feeds);
  await program.dispose();
  const host = interpret(graph, feeds);
  for (const name of ["y", "logits"]) expect(host[name].data).toBeAllClose(native[name].data, { abs: 1e-6 });
});

test("the number of valid keys of each entry masks those behind them, and moves causality", async () => {
  const builder = new Builder(24);
  const shapes = { q: [2, 1, 2, 2], k: [2, 1, 4, 2], v: [2, 1, 4, 2] };
  const [q, k, v] = Object.entries(shapes).map(([name, shape]) => builder.input(name, "float32", shape));
  const valid = builder.literal([3, 4], "int64");
  const [y] = attend([q, k, v, null, null, null, valid], { is_causal: int(1) });
  const graph = builder.build({ y }, { keepInputs: true });
  const feeds = Object.fromEntries(
    Object.entries(shapes).map(([name, shape], seed) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return [name, { data: Float32Array.from({ length: count }, (_, i) => Math.cos(seed + 3 * i)), shape }];
    }),
  );
  // The same by a mask: query i of entry b sees the keys up to valid[b] - 2 + i.
  const other = new Builder(23);
  const [q2, k2, v2] = Object.entries(shapes).map(([name, shape]) => other.input(name, "float32", shape));
  const seen = [3, 4].flatMap((count) =>
    [0, 1].flatMap((i) => [0, 1, 2, 3].map((j) => Number(j <= count - 2 + i))),
  );
  const [want] = attend([q2, k2, v2, other.literal(seen, "bool", [2, 1, 2, 4])]);
  const masked = interpret(other.build({ y: want }, { keepInputs: true }), feeds);
  expect(interpret(graph, feeds).y.data).toBeAllClose(masked.y.data, { rel: 1e-12 });
});

test("keys and values of other heads than the queries can share are an error that names the node", () => {
  const wrong = () =>
    trace({ q: { shape: [1, 3, 2, 2] }, k: { shape: [1, 2, 2, 2] } }, ({ q, k }) => ({
      y: attend([q, k, k])[0],
    }));
  expect(wrong).toThrow('3 heads of queries cannot share 2 of keys at node "Attention"');
  const flat = () => trace({ q: { shape: [1, 3, 4] } }, ({ q }) => ({ y: attend([q, q, q])[0] }));
  expect(flat).toThrow('[1, 3, 4] cannot be cut into 0 heads (q_num_heads) at node "Attention"');
});

test("a mask of truth values that is computed is read when the graph runs", () => {
  const builder = new Builder(23);
  const q = builder.input("q", "float32", [1, 1, 2, 2]);
  const [y] = attend([q, q, q, greater(builder.input("m", "float32", [2, 2]), 0)]);
  const graph = builder.build({ y }, { keepInputs: true });
  const found = interpret(graph, {
    q: { data: [1, 2, 3, 4], shape: [1, 1, 2, 2] },
    m: { data: [1, -1, -1, 1], shape: [2, 2] },
  });
  expect(found.y.data).toBeAllClose([1, 2, 3, 4], {});
});
