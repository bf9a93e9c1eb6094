import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import { sizeOf } from "../../base/tensor.ts";
import { int, string } from "../attributes.ts";
import { attentionLayers } from "../attention.ts";
import { Builder, trace } from "../builder.ts";
import { constantOf } from "../constant.ts";
import type { Graph } from "../graph.ts";
import { type InterpreterInput, interpret } from "../interpret.ts";
import { add, mul } from "../ops/elementwise.ts";
import { matmul } from "../ops/linear.ts";
import { softmax } from "../ops/normalise.ts";
import { reshape, swapLast, transpose } from "../ops/reshape.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import type { RuntimeTensor } from "../../runtime/runtime.ts";
import {
  type DropBlocks,
  type Perturbation,
  gatesInput,
  mapOutput,
  perturb,
  randomInput,
  withAttentionMaps,
} from "../perturb.ts";
import type { Value } from "../value.ts";
import { gaussianMatrix, kernelSize } from "./blur.ts";

const [batch, heads, tokens, size] = [2, 3, 6, 4];
const shape = [batch, heads, tokens, size];

/** softmax(q k' / 2) v with q, k and v as inputs, heads on an axis or with the batch; an attention and nothing else. */
function bare(merged = false): Graph {
  const dims = merged ? [batch * heads, tokens, size] : shape;
  return trace({ q: { shape: dims }, k: { shape: dims }, v: { shape: dims } }, ({ q, k, v }) => ({
    y: matmul(softmax(mul(matmul(q, swapLast(k)), 0.5)), v),
  }));
}

function normal(dims: readonly number[], stream: number): InterpreterInput & { data: Float64Array } {
  const data = new Float64Array(sizeOf(dims));
  philox(3, stream).fillNormal(data);
  return { data, shape: dims };
}

const feeds = { q: normal(shape, 1), k: normal(shape, 2), v: normal(shape, 3) };

type Feeds = Record<string, InterpreterInput>;
const outputOf = (graph: Graph, given: Feeds): number[] => {
  const fitted = Object.fromEntries(
    graph.inputs.map(({ name, shape }) => [name, { ...given[name], shape: shape as readonly number[] }]),
  );
  return Array.from(interpret(graph, fitted).y.data as Float64Array);
};

/** A perturbation of the only layer, whatever its kind. */
const only = (how: Record<string, unknown>): Perturbation =>
  ({ layers: "all", attention: "any", ...how }) as unknown as Perturbation;

const perturbed = (how: Record<string, unknown>, given: Feeds = feeds, graph = bare()): number[] =>
  outputOf(perturb(graph, only(how)), given);

describe.each([
  ["heads on an axis", false],
  ["heads with the batch", true],
])("an attention with %s", (_, merged) => {
  const graph = bare(merged);
  const plain = outputOf(graph, feeds);
  const under = (how: Record<string, unknown>, given: Feeds = feeds): number[] =>
    perturbed(how, given, graph);

  test("under the identity gives its values", () => {
    expect(under({ kind: "identity" })).toBeAllClose(feeds.v, { abs: 1e-7 });
  });

  test("under the soft identity: 0 is off, 1 the identity, between them a line; by head", () => {
    expect(under({ kind: "soft-identity", u: 0 })).toBeAllClose(plain, { abs: 1e-12 });
    expect(under({ kind: "soft-identity", u: 1 })).toBeAllClose(feeds.v, { abs: 1e-7 });
    const line = plain.map((y, i) => 0.75 * y + 0.25 * feeds.v.data[i]);
    expect(under({ kind: "soft-identity", u: 0.25 })).toBeAllClose(line, { abs: 1e-7 });
    const u = [0, 1, 0.25];
    const byHead = plain.map((y, i) => {
      const share = u[Math.floor(i / (tokens * size)) % heads];
      return (1 - share) * y + share * feeds.v.data[i];
    });
    expect(under({ kind: "soft-identity", u })).toBeAllClose(byHead, { abs: 1e-7 });
    expect(() => under({ kind: "soft-identity", u: [0, 1, 0, 1, 0] })).toThrow("got 5 numbers u");
  });

  test("when uniform is the one with queries of zero", () => {
    const zero = { data: new Float64Array(sizeOf(shape)), shape };
    expect(under({ kind: "uniform" })).toBeAllClose(outputOf(graph, { ...feeds, q: zero }), { abs: 1e-7 });
  });

  test("with queries blurred without end is the one with their mean", () => {
    const mean = feeds.q.data.map((_, i) => {
      const row = i - (i % (tokens * size)) + (i % size);
      return (
        Array.from({ length: tokens }, (_, t) => feeds.q.data[row + t * size]).reduce((a, b) => a + b) /
        tokens
      );
    });
    const want = outputOf(graph, { ...feeds, q: { data: mean, shape } });
    expect(under({ kind: "blur-queries", sigma: Infinity })).toBeAllClose(want, { abs: 1e-7 });
    // Far beyond the grid a Gaussian is nearly the mean of what its reflections reach.
    expect(want).not.toBeAllClose(plain, { abs: 1e-2 });
  });

  test("with queries blurred over a grid is the one with blurred queries", () => {
    const [h, w, sigma] = [2, 3, 0.8];
    const blurred = blur2d(feeds.q.data, h, w, sigma);
    const want = outputOf(graph, { ...feeds, q: { data: blurred, shape } });
    expect(under({ kind: "blur-queries", sigma, grid: [h, w] })).toBeAllClose(want, { abs: 1e-6 });
    // So narrow that one tap is left: off.
    expect(under({ kind: "blur-queries", sigma: 1 / 6, grid: [h, w] })).toBeAllClose(plain, { abs: 1e-7 });
    expect(() => under({ kind: "blur-queries", sigma, grid: [2, 2] })).toThrow(
      "has 6 tokens, the given grid 2 x 2",
    );
    // Of inputs of rank 3 no grid is known.
    if (merged)
      expect(() => under({ kind: "blur-queries", sigma })).toThrow("give it, { grid: [height, width] }");
  });

  const name = attentionLayers(graph)[0].name;
  const mask = (
    f: (head: number, query: number, key: number) => number,
    count = heads,
  ): InterpreterInput => ({
    data: Float64Array.from({ length: count * tokens ** 2 }, (_, i) =>
      f(Math.floor(i / tokens ** 2), Math.floor(i / tokens) % tokens, i % tokens),
    ),
    shape: [1, count, tokens, tokens],
  });
  const masked = (given: InterpreterInput): number[] => under({ kind: "mask", masks: { [name]: given } });

  test("under a mask: of nothing is off, of all but the diagonal the identity, of all but one key that key's value", () => {
    expect(masked(mask(() => 0))).toBeAllClose(plain, { abs: 1e-12 });
    expect(masked(mask((_, q, k) => Number(q !== k)))).toBeAllClose(feeds.v, { abs: 1e-7 });
    expect(masked(mask((_, q, k) => Number(q !== k), 1))).toBeAllClose(feeds.v, { abs: 1e-7 });
    const want = feeds.v.data.map((_, i) => {
      const head = Math.floor(i / (tokens * size));
      return feeds.v.data[head * tokens * size + (head % heads) * size + (i % size)];
    });
    expect(masked(mask((head, _, k) => Number(k !== head)))).toBeAllClose(want, { abs: 1e-7 });
    expect(() => masked({ ...mask(() => 0), shape: [1, heads, tokens, 5] })).toThrow("[1, heads or 1, 6, 6]");
    expect(() => under({ kind: "mask", masks: {} })).toThrow("there is no mask for the chosen attention");
  });

  test("with attention dropped out: what is left is scaled", () => {
    const how = only({ kind: "attention-dropout", p: 0.2 });
    const input = randomInput(attentionLayers(graph)[0], how as never);
    const dropped = (f: (query: number, key: number) => number): number[] =>
      outputOf(perturb(graph, how), { ...feeds, [input]: mask((_, q, k) => f(q, k), 1) });
    expect(dropped(() => 0)).toBeAllClose(
      plain.map((y) => y / 0.8),
      { abs: 1e-6 },
    );
    expect(dropped(() => 1)).toBeAllClose(
      plain.map(() => 0),
      {},
    );
  });

  test("hands out its map, and what each token receives", () => {
    const selected = attentionLayers(graph)[0];
    if (selected.heads === null) throw new Error("no heads");
    const results = (give: "map" | "received"): number[] => {
      const open = withAttentionMaps(graph, "all", { give, attention: "any" });
      const given = Object.fromEntries(
        open.inputs.map(({ name, shape }) => [
          name,
          { ...feeds[name as "q"], shape: shape as readonly number[] },
        ]),
      );
      return Array.from(interpret(open, given)[mapOutput(selected, give)].data as Float64Array);
    };
    const map = results("map");
    expect(map).toHaveLength(batch * heads * tokens ** 2);
    const rows = Array.from({ length: map.length / tokens }, (_, i) =>
      map.slice(i * tokens, (i + 1) * tokens),
    );
    for (const row of rows) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    // A map is known by what it makes of the values.
    const made = plain.map((_, i) => {
      const [row, c] = [Math.floor(i / size), i % size];
      const first = Math.floor(row / tokens) * tokens;
      return rows[row].reduce((sum, p, k) => sum + p * feeds.v.data[(first + k) * size + c], 0);
    });
    expect(made).toBeAllClose(plain, { abs: 1e-6 });
    const received = results("received");
    const count = map.length / tokens ** 2 / selected.heads;
    const want = Array.from({ length: count * tokens }, (_, i) => {
      const [b, k] = [Math.floor(i / tokens), i % tokens];
      const column = map.filter(
        (_, j) => j % tokens === k && Math.floor(j / tokens ** 2 / selected.heads!) === b,
      );
      return column.reduce((a, x) => a + x, 0) / selected.heads!;
    });
    expect(received).toBeAllClose(want, { abs: 1e-6 });
  });
});

test("an attention by Einsum, heads behind tokens, is perturbed as one by MatMul", () => {
  const dims = [batch, tokens, heads, size];
  const einsum = (equation: string, a: Value, b: Value): Value =>
    a.builder.apply("Einsum", [a, b], { attributes: { equation: string(equation) } })[0];
  const graph = trace({ q: { shape: dims }, k: { shape: dims }, v: { shape: dims } }, ({ q, k, v }) => ({
    y: einsum("bhqk,bkhd->bqhd", softmax(mul(einsum("bqhd,bkhd->bhqk", q, k), 0.5)), v),
  }));
  // [batch, heads, tokens, size] to [batch, tokens, heads, size].
  const turned = (data: ArrayLike<number>): Float64Array =>
    Float64Array.from({ length: data.length }, (_, i) => {
      const [b, t] = [Math.floor(i / (tokens * heads * size)), Math.floor(i / (heads * size)) % tokens];
      const [h, c] = [Math.floor(i / size) % heads, i % size];
      return data[((b * heads + h) * tokens + t) * size + c];
    });
  const given = Object.fromEntries(
    Object.entries(feeds).map(([name, { data }]) => [name, { data: turned(data), shape: dims }]),
  );
  for (const how of [
    { kind: "identity" },
    { kind: "uniform" },
    { kind: "soft-identity", u: [0, 1, 0.25] },
    { kind: "blur-queries", sigma: 0.8, grid: [2, 3] },
    { kind: "blur-queries", sigma: Infinity },
  ])
    expect(perturbed(how, given, graph)).toBeAllClose(turned(perturbed(how)), { abs: 1e-6 });
});

/** A Gaussian blur written out in two dimensions, of each head's tokens and each channel. */
function blur2d(data: Float64Array, h: number, w: number, sigma: number): Float64Array {
  const half = (kernelSize(sigma, w) - 1) / 2;
  const mirror = (i: number, n: number): number => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i);
  return data.map((_, i) => {
    const [c, t] = [i % size, Math.floor(i / size) % tokens];
    const first = i - c - t * size;
    const [y, x] = [Math.floor(t / w), t % w];
    let [sum, total] = [0, 0];
    for (let dy = -half; dy <= half; dy++) {
      for (let dx = -half; dx <= half; dx++) {
        const tap = Math.exp(-(dy * dy + dx * dx) / (2 * sigma * sigma));
        const [from, along] = [mirror(mirror(y + dy, h), h), mirror(x + dx, w)];
        sum += tap * data[first + (from * w + along) * size + c];
        total += tap;
      }
    }
    return sum / total;
  });
}

describe("the blur's kernel", () => {
  test("has 6 sigma taps, made odd, and at most the width's", () => {
    // sigma, width, taps: the rule of the method's authors.
    for (const [sigma, width, taps] of [
      [1, 64, 7],
      [0.5, 64, 3],
      [10, 64, 61],
      [10, 8, 9],
      [10, 7, 7],
      [0.1, 8, 1],
    ])
      expect(kernelSize(sigma, width)).toBe(taps);
  });

  test("keeps constants, and is the identity where one token is a line", () => {
    for (const [side, taps] of [
      [8, 9],
      [5, 3],
      [4, 61],
      [1, 5],
    ]) {
      const matrix = gaussianMatrix(side, taps, 1.3);
      for (let row = 0; row < side; row++) {
        const sum = matrix.slice(row * side, (row + 1) * side).reduce((a, b) => a + b);
        expect(sum).toBeCloseTo(1, 12);
      }
    }
  });

  test("mirrors at the border without repeating it", () => {
    // Taps of 1/3 each in the limit of a wide Gaussian: the first token has itself once and its neighbour twice.
    expect(gaussianMatrix(3, 3, 1e6)).toBeAllClose(
      [1, 2, 0, 1, 1, 1, 0, 2, 1].map((n) => n / 3),
      { abs: 1e-9 },
    );
  });
});

/** x [2, 6, 8]: two blocks of attention and feed-forward, of which `without` names what is left out. */
function transformer(without: readonly string[] = []): Graph {
  return trace({ x: { shape: [2, 6, 8] } }, ({ x }, builder) => {
    let h = x;
    for (const block of [0, 1]) {
      h = builder.scope(`blocks.${block}`, () => {
        const attended = builder.scope("attn", () => attend(h, block));
        const skips = (what: string): boolean => without.includes(`${what}.${block}`);
        const given = mul(h, 0.5);
        const h1 = add(h, skips("attn") ? given : skips("zero") ? mul(attended, 0) : attended);
        const normal = mul(h1, 0.5);
        const forward = builder.scope("ff", () =>
          matmul(mul(matmul(normal, w(h, 8, 16, 4)), 0.3), w(h, 16, 8, 5)),
        );
        const h2 = add(h1, skips("ff") ? normal : forward);
        return skips("block") ? h : h2;
      });
    }
    return { y: h };
  });
}

function w(like: Value, rows: number, columns: number, seed: number): Value {
  const numbers = normal([rows, columns], seed).data.map((x) => 0.4 * x);
  return like.builder.constant(constantOf("float32", [rows, columns], numbers));
}

function attend(h: Value, block: number): Value {
  const x = mul(h, 0.5);
  const split = (y: Value): Value => transpose(reshape(y, [2, 6, 2, 4]), [0, 2, 1, 3]);
  const [q, k, v] = [0, 1, 2].map((i) => split(matmul(x, w(x, 8, 8, 10 + 10 * block + i))));
  const context = matmul(softmax(matmul(q, swapLast(k))), v);
  return matmul(reshape(transpose(context, [0, 2, 1, 3]), [2, 6, 8]), w(x, 8, 8, 19 + block));
}

describe("a transformer", () => {
  const plain = transformer();
  const x = normal([2, 6, 8], 40);
  const wanted = (...without: string[]): number[] => outputOf(transformer(without), { x });
  const got = (how: Perturbation): number[] => outputOf(perturb(plain, how), { x });

  test.each([
    ["skip-block", ["blocks.1"], ["block.1"]],
    ["skip-block", "all", ["block.0", "block.1"]],
    ["skip-attention", ["blocks.0"], ["attn.0"]],
    ["skip-attention", "all", ["attn.0", "attn.1"]],
    ["skip-feed-forward", ["blocks.0"], ["ff.0"]],
    ["zero-attention", ["blocks.1"], ["zero.1"]],
  ] as const)("under %s of %s is the one without %s", (kind, layers, without) => {
    const perturbed = got({ kind, layers });
    expect(perturbed).toBeAllClose(wanted(...without), { abs: 1e-6 });
    expect(perturbed).not.toBeAllClose(wanted(), { abs: 1e-2 });
  });

  test("has its tokens in the order that is given: all blocks move with them", () => {
    const how = { kind: "shuffle-tokens", layers: ["blocks.0"] } as const;
    const input = randomInput(attentionLayers(plain)[0], how);
    const shuffled = (order: number[]): number[] =>
      outputOf(perturb(plain, how), { x, [input]: { data: order, shape: [6] } });
    expect(shuffled([0, 1, 2, 3, 4, 5])).toBeAllClose(wanted(), {});
    // Attention does not know positions, so that shuffled tokens give shuffled results.
    const order = [3, 0, 5, 1, 4, 2];
    const want = wanted().map((_, i, all) => {
      const [b, t, c] = [Math.floor(i / 48), Math.floor(i / 8) % 6, i % 8];
      return all[b * 48 + order[t] * 8 + c];
    });
    expect(shuffled(order)).toBeAllClose(want, { abs: 1e-6 });
  });

  test("drops the blocks whose number is 1: one graph for every choice", () => {
    const how: DropBlocks = { kind: "drop-blocks", layers: "all", p: 0.5 };
    const graph = perturb(plain, how);
    const gates = gatesInput([0, 1], how);
    expect(graph.inputs.map(({ name, shape }) => ({ name, shape }))).toContainEqual({
      name: gates,
      shape: [2],
    });
    const dropping = (...data: number[]): number[] => outputOf(graph, { x, [gates]: { data, shape: [2] } });
    expect(dropping(0, 0)).toBeAllClose(wanted(), { abs: 1e-12 });
    expect(dropping(1, 0)).toBeAllClose(wanted("block.0"), { abs: 1e-12 });
    expect(dropping(0, 1)).toBeAllClose(wanted("block.1"), { abs: 1e-12 });
    expect(dropping(1, 1)).toBeAllClose(x, { abs: 1e-12 });
    // Of one chosen block only that one has a number.
    const one = perturb(plain, { ...how, layers: ["blocks.1"] });
    const gate = { data: [1], shape: [1] };
    expect(outputOf(one, { x, [gatesInput([1], how)]: gate })).toBeAllClose(wanted("block.1"), {
      abs: 1e-12,
    });
  });

  test("of attentions without feed-forward layers has a block for each", () => {
    const stack = (blocks: readonly number[]): Graph =>
      trace({ x: { shape: [2, 6, 8] } }, ({ x: h }) => ({
        y: blocks.reduce((stream, block) => add(stream, attend(stream, block)), h),
      }));
    const skipped = perturb(stack([0, 1]), { kind: "skip-block", layers: [1] });
    expect(outputOf(skipped, { x })).toBeAllClose(outputOf(stack([0]), { x }), { abs: 1e-6 });
  });

  test("whose attention is added to nothing has no block", () => {
    for (const kind of ["skip-block", "skip-attention", "zero-attention", "drop-blocks", "shuffle-tokens"])
      expect(() => perturb(bare(), only({ kind }))).toThrow(
        "have no boundaries: choose another layer or kind",
      );
    const noForward = trace({ x: { shape: [2, 6, 8] } }, ({ x: h }) => ({ y: add(h, attend(h, 0)) }));
    expect(() => perturb(noForward, only({ kind: "skip-feed-forward" }))).toThrow(
      "no feed-forward layer follows",
    );
  });
});

describe.each([
  ["com.microsoft", "MultiHeadAttention", { num_heads: int(2) }],
  ["", "Attention", { q_num_heads: int(2), kv_num_heads: int(2) }],
])("an attention that is one operator, %s %s,", (domain, op, attributes) => {
  const dims = [2, 6, 8];
  const parts = { q: { shape: dims }, k: { shape: dims }, v: { shape: dims } };
  const traced = (network: (q: Value, k: Value, v: Value) => Value): Graph => {
    const builder = new Builder(23);
    const [q, k, v] = Object.entries(parts).map(([name, { shape }]) => builder.input(name, "float32", shape));
    return builder.build({ y: network(q, k, v) });
  };
  const fused = traced(
    (q, k, v) => q.builder.apply(op, [q, k, v], { domain, attributes, name: "attn/fused" })[0],
  );
  const split = (x: Value): Value => transpose(reshape(x, [2, 6, 2, 4]), [0, 2, 1, 3]);
  const open = traced((q, k, v) =>
    q.builder.scope("attn", () => {
      const context = matmul(softmax(mul(matmul(split(q), swapLast(split(k))), 0.5)), split(v));
      return reshape(transpose(context, [0, 2, 1, 3]), dims);
    }),
  );
  const given = { q: normal(dims, 51), k: normal(dims, 52), v: normal(dims, 53) };
  const runtime = nodeRuntime({ threads: 1 });

  async function run(graph: Graph, output = "y"): Promise<ArrayLike<number>> {
    const program = await runtime.compile(graph);
    const feeds = graph.inputs.map(({ name }): [string, RuntimeTensor] => [
      name,
      { data: Float32Array.from(given[name as "q"].data), shape: dims },
    ]);
    const results = await program.run(Object.fromEntries(feeds));
    await program.dispose();
    return results[output].data as Float32Array;
  }

  test.each([
    [{ kind: "identity" }],
    [{ kind: "soft-identity", u: [0.3, 1] }],
    [{ kind: "uniform" }],
    [{ kind: "blur-queries", sigma: 1, grid: [2, 3] }],
  ])("under %o is perturbed as the written-out one", async (how) => {
    const perturbed = await run(perturb(fused, only(how)));
    expect(perturbed).toBeAllClose(await run(perturb(open, only(how))), { abs: 1e-5 });
    expect(perturbed).not.toBeAllClose(await run(fused), { abs: 1e-2 });
  });

  test("hands out the map of the written-out one, under its own name", async () => {
    const [layer] = attentionLayers(fused);
    expect(layer).toMatchObject({ name: "attn", heads: 2, headSize: 4, queries: 6, keys: 6 });
    const map = (graph: Graph): ReturnType<typeof run> =>
      run(withAttentionMaps(graph, "all", { attention: "any" }), mapOutput(layer));
    expect(await map(fused)).toBeAllClose(await map(open), { abs: 1e-6 });
  });
});

test("one token is its own map: the identity and every mask that keeps the diagonal are off", () => {
  const one = trace({ q: { shape: [2, 1, 4] }, v: { shape: [2, 1, 3] } }, ({ q, v }) => ({
    y: matmul(softmax(matmul(q, swapLast(q))), v),
  }));
  const v = normal([2, 1, 3], 60);
  const q = normal([2, 1, 4], 61);
  for (const kind of ["identity", "uniform"]) {
    expect(outputOf(perturb(one, only({ kind })), { q, v })).toBeAllClose(outputOf(one, { q, v }), {
      abs: 1e-12,
    });
  }
});
