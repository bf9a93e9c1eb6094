import { describe, expect, test } from "vitest";
import { philox } from "../base/philox.ts";
import { sizeOf } from "../base/tensor.ts";
import { attention, conv } from "../networks/layers.ts";
import { constantParameters, initialise, layoutOf } from "../networks/parameters.ts";
import { nodeRuntime } from "../runtime/node.ts";
import type { RuntimeTensor } from "../runtime/runtime.ts";
import { attentionLayers } from "./attention.ts";
import { Builder, trace } from "./builder.ts";
import type { Graph } from "./graph.ts";
import { interpret } from "./interpret.ts";
import { mul, silu } from "./ops/elementwise.ts";
import { matmul } from "./ops/linear.ts";
import { softmax } from "./ops/normalise.ts";
import { swapLast } from "./ops/reshape.ts";
import {
  type Perturbation,
  type RandomMask,
  perturb,
  perturbing,
  randomInput,
  selectLayers,
} from "./perturb.ts";
import { declareInputs, replay } from "./replay.ts";
import type { ParameterSource } from "../networks/parameters.ts";
import type { Value } from "./value.ts";

const shape = [2, 8, 2, 3];
const tokens = 6;

/** Three attention layers with convolutions before, between and behind them. */
function network(p: ParameterSource, x: Value): Value {
  let h = silu(conv(p, "in", x, 8));
  for (const name of ["down.0", "mid", "up.0"]) {
    h = p.scope(name, (q) => attention(q, "attention", conv(q, "conv", h, 8), 2, 4));
  }
  return conv(p, "out", h, 8);
}

const layout = layoutOf((p) => network(p, p.builder.input("x", "float32", shape)));
const parameters = initialise(layout, philox(1, 0));
// Layers that start as zero would hide what is in front of them.
philox(1, 1).fillNormal(parameters);
parameters.forEach((value, i) => (parameters[i] = 0.3 * value));

const builder = new Builder();
const plain: Graph = builder.build(
  { y: network(constantParameters(builder, layout, parameters), builder.input("x", "float32", shape)) },
  { name: "plain" },
);
const layers = attentionLayers(plain);
const x = normal(shape, 2);

function normal(dims: readonly number[], stream: number): { data: Float32Array; shape: readonly number[] } {
  const data = new Float32Array(sizeOf(dims));
  philox(1, stream).fillNormal(data);
  return { data, shape: dims };
}

/** The masks of every layer: f(query, key). */
function masks(how: RandomMask, f: (query: number, key: number) => number): Record<string, RuntimeTensor> {
  const data = Float32Array.from({ length: tokens ** 2 }, (_, i) => f(Math.floor(i / tokens), i % tokens));
  return Object.fromEntries(
    layers.map((layer) => [randomInput(layer, how), { data, shape: [1, 1, tokens, tokens] }]),
  );
}

const outputOf = (graph: Graph, feeds: Record<string, RuntimeTensor>) =>
  interpret(graph, feeds).y.data as Float64Array;

describe("attention layers", () => {
  test("are found in the order in which they run, with name and position", () => {
    expect(layers.map(({ index, name, position }) => ({ index, name, position }))).toEqual([
      { index: 0, name: "down.0/attention", position: "down" },
      { index: 1, name: "mid/attention", position: "mid" },
      { index: 2, name: "up.0/attention", position: "up" },
    ]);
  });

  test("a softmax that is no attention map is none of them, and two in one module have two names", () => {
    const graph = trace({ q: { shape: [3, 4] }, v: { shape: [3, 2] } }, ({ q, v }, b) =>
      b.scope("head", () => {
        const first = matmul(softmax(matmul(q, swapLast(q))), v);
        return { y: softmax(matmul(softmax(matmul(first, swapLast(first))), v)) };
      }),
    );
    expect(attentionLayers(graph).map(({ name }) => name)).toEqual(["head", "head#1"]);
  });

  test.each([
    ["all of them", "all", [0, 1, 2]],
    ["an index", [2], [2]],
    ["a position", ["mid"], [1]],
    ["a part of the name", ["0/attention"], [0, 2]],
    ["several, in the order in which they run", ["up", 0], [0, 2]],
  ] as const)("are selected by %s", (_, selection, want) => {
    expect(selectLayers(layers, selection).map(({ index }) => index)).toEqual(want);
  });

  test("a selection that matches none is an error that lists them", () => {
    const listing = "the layers are: 0 down.0/attention, 1 mid/attention, 2 up.0/attention";
    expect(() => selectLayers(layers, ["mid", "bottom"])).toThrow(
      `no attention layer is called "bottom"; ${listing}`,
    );
    expect(() => selectLayers(layers, [3])).toThrow(`no attention layer is called "3"; ${listing}`);
    expect(() => perturb(plain, { kind: "identity", layers: ["bottom"] })).toThrow(listing);
    expect(() => selectLayers([], "all")).toThrow("the network has no attention layer to perturb");
  });
});

describe("a perturbed layer", () => {
  const single = trace({ q: { shape: [2, 3, 4] }, v: { shape: [2, 3, 2] } }, ({ q, v }) => ({
    y: mul(matmul(softmax(matmul(q, swapLast(q))), v), 2),
  }));

  test("with the identity gives its values", () => {
    const v = normal([2, 3, 2], 4);
    const changed = perturb(single, { kind: "identity", layers: "all" });
    expect(changed.inputs.map(({ name }) => name)).toEqual(["v"]);
    expect(outputOf(changed, { v })).toBeAllClose(
      Array.from(v.data, (value) => 2 * value),
      {},
    );
  });

  test("with a random mask is the softmax over what is not masked", () => {
    const how: RandomMask = { kind: "random-mask", layers: "all" };
    const changed = perturb(single, how);
    const name = randomInput(attentionLayers(single)[0], how);
    const [q, v] = [normal([2, 3, 4], 3), normal([2, 3, 2], 4)];
    // Only one key is left for each query: 1, 2, 0. Masked everywhere, all keys count alike.
    const one = { data: Float32Array.of(1, 0, 1, 1, 1, 0, 0, 1, 1), shape: [1, 1, 3, 3] };
    const [b, rows] = [Array.from(v.data), [1, 2, 0]];
    const want = [0, 1].flatMap((n) => rows.flatMap((row) => [0, 1].map((c) => 2 * b[n * 6 + row * 2 + c])));
    expect(changed.inputs.find((input) => input.name === name)?.shape).toEqual([1, 1, 3, 3]);
    const got = interpret(changed, { q, v, [name]: one }).y.data;
    expect(got).toBeAllClose(want, { rel: 1e-12 });
    const all = { data: new Float32Array(9).fill(1), shape: [1, 1, 3, 3] };
    const mean = [0, 1].flatMap((n) =>
      rows.flatMap(() => [0, 1].map((c) => (2 * (b[n * 6 + c] + b[n * 6 + 2 + c] + b[n * 6 + 4 + c])) / 3)),
    );
    expect(interpret(changed, { q, v, [name]: all }).y.data).toBeAllClose(mean, { rel: 1e-12 });
  });

  test("between other queries and keys cannot be the identity", () => {
    const cross = trace(
      { q: { shape: [3, 4] }, k: { shape: [5, 4] }, v: { shape: [5, 2] } },
      ({ q, k, v }, b) => b.scope("text", () => ({ y: matmul(softmax(matmul(q, swapLast(k))), v) })),
    );
    expect(() => perturb(cross, { kind: "identity", layers: "all", attention: "any" })).toThrow(
      'the identity cannot stand for a map of 3 x 5 at node "text"',
    );
  });
});

describe("a perturbed network", () => {
  const off: RandomMask = { kind: "off-diagonal-mask", layers: "all", p: 1 };
  const random: RandomMask = { kind: "random-mask", layers: "all", p: 0 };

  test("with everything off the diagonal masked is the one with the identity", () => {
    const want = outputOf(perturb(plain, { kind: "identity", layers: "all" }), { x });
    const diagonal = masks(off, (query, key) => (query === key ? 0 : 1));
    expect(outputOf(perturb(plain, off), { x, ...diagonal })).toBeAllClose(want, { abs: 1e-12 });
    expect(outputOf(plain, { x })).not.toBeAllClose(want, { abs: 1e-2 });
  });

  test("with nothing masked is the plain one", () => {
    const none = masks(random, () => 0);
    expect(outputOf(perturb(plain, random), { x, ...none })).toBeAllClose(outputOf(plain, { x }), {
      abs: 1e-12,
    });
  });

  test("asks for the masks of the chosen layers only", () => {
    const changed = perturb(plain, { ...off, layers: ["mid"] });
    expect(changed.inputs.map(({ name }) => name)).toEqual(["x", randomInput(layers[1], off)]);
  });
});

describe("the plain and a perturbed network in one graph", () => {
  /** The outputs "0", "1", ... of the network under each perturbation. */
  function merged(perturbations: readonly (Perturbation | undefined)[]): Graph {
    const both = new Builder();
    const inputs = declareInputs(plain, both);
    const outputs = perturbations.map(
      (how) => replay(plain, both, inputs, how && perturbing(plain, both, how)).y,
    );
    return both.build(Object.fromEntries(outputs.map((y, i) => [String(i), y])));
  }
  const count = (graph: Graph, op: string) => graph.nodes.filter((node) => node.op === op).length;

  test("share what lies in front of the first perturbed layer", () => {
    const last = merged([undefined, { kind: "identity", layers: ["up"] }]);
    // In front of the last map: 4 convolutions and 3 for queries, keys, values, and 2 behind maps. Behind it: 2.
    expect(count(plain, "Conv")).toBe(11);
    expect(count(last, "Conv")).toBe(11 + 2);
    expect(count(last, "Softmax")).toBe(3);
    const first = merged([undefined, { kind: "identity", layers: ["down"] }]);
    expect(count(first, "Conv")).toBe(11 + 8);
    expect(first.nodes.length).toBeLessThan(plain.nodes.length * 2 - 10);
    expect(merged([undefined, undefined]).nodes).toHaveLength(plain.nodes.length + 1);
  });

  test("give the numbers of separate runs", async () => {
    const how: Perturbation = { kind: "identity", layers: ["mid"] };
    const runtime = nodeRuntime({ threads: 1 });
    const run = async (graph: Graph) => {
      const program = await runtime.compile(graph);
      const results = await program.run({ x });
      await program.dispose();
      return results;
    };
    const both = await run(merged([undefined, how]));
    expect(both["0"].data).toBeAllClose((await run(plain)).y.data, { abs: 1e-6 });
    expect(both["1"].data).toBeAllClose((await run(perturb(plain, how))).y.data, { abs: 1e-6 });
    expect(both["0"].data).not.toBeAllClose(both["1"].data, { abs: 1e-2 });
  });

  test("keep the masks of different perturbations apart", () => {
    const hows: Perturbation[] = [
      { kind: "random-mask", layers: ["mid"], p: 0.25, seed: 0 },
      { kind: "off-diagonal-mask", layers: ["mid"], p: 0.25, seed: 0 },
      { kind: "random-mask", layers: ["mid"], p: 0.5, seed: 0 },
      { kind: "random-mask", layers: ["mid"], p: 0.25, seed: 1 },
      { kind: "random-mask", layers: ["mid"] },
    ];
    // The last one is the first one.
    expect(merged(hows).inputs.map(({ name }) => name)).toHaveLength(1 + 4);
  });
});
