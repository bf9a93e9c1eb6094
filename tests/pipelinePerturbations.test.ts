import { describe, expect, test } from "vitest";
import { decodeFloat16 } from "../src/base/float16.ts";
import { attentionLayers } from "../src/graph/attention.ts";
import type { Graph } from "../src/graph/graph.ts";
import { mapOutput, perturbing, withAttentionMaps } from "../src/graph/perturb.ts";
import { builderFor, declareInputs, replay } from "../src/graph/replay.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { RuntimeTensor } from "../src/runtime/runtime.ts";
import { type Call, boundTo, denoisers } from "./pipelineCases.ts";

const runtime = nodeRuntime({ threads: 1 });

async function run(graph: Graph, feeds: Call["feeds"]): Promise<Record<string, RuntimeTensor>> {
  const program = await runtime.compile(graph);
  const results = await program.run(feeds);
  await program.dispose();
  return results;
}

function numbers({ data }: RuntimeTensor): Float32Array {
  return data instanceof Uint16Array ? decodeFloat16(data) : (data as Float32Array);
}

/** The network plain and under every perturbation of a call in one graph: what they share is computed once. */
function merged(graph: Graph, { feeds, cases }: Call): Graph {
  const bound = boundTo(graph, feeds);
  const builder = builderFor(bound);
  const inputs = declareInputs(bound, builder);
  const outputs = cases.map(({ id, how }) => {
    const all = replay(bound, builder, inputs, how && perturbing(bound, builder, how));
    return [id, Object.values(all)[0]] as const;
  });
  return builder.build(Object.fromEntries(outputs), { keepInputs: true });
}

/** Where PyTorch's number is large, its own size. */
const scaleOf = (want: ArrayLike<number>): number =>
  Math.max(
    1,
    Array.from(want).reduce((most, value) => Math.max(most, Math.abs(value)), 0),
  );

describe.each(denoisers())("$name", ({ graph, half, layers, sites, calls, sag }) => {
  const tolerance = half ? 5e-3 : 2e-5;

  test("has the attention layers that PyTorch has, in the order in which they run", () => {
    const found = attentionLayers(boundTo(graph, calls[0].feeds));
    const byName = new Map(layers.map((layer) => [layer.name, layer]));
    expect(found.map(({ name }) => name).sort()).toEqual([...byName.keys()].sort());
    const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
    for (const layer of found) {
      const want = byName.get(layer.name)!;
      const { kind, heads, headSize, queries, keys, masked } = layer;
      expect({ kind, heads, headSize, queries, keys, masked }).toEqual({
        kind: want.kind,
        heads: want.heads,
        headSize: want.head_dim,
        queries: want.tokens,
        keys: want.kv_tokens,
        masked: false,
      });
      expect({
        softmax: producers.get(layer.softmax)!.name,
        softmax_input: layer.logits,
        softmax_output: layer.softmax,
        scores_matmul: producers.get(layer.scores)!.name,
        context_matmul: producers.get(layer.context)!.name,
        context_output: layer.context,
        value_input: layer.value,
        q_input: layer.query,
        k_input: layer.key,
      }).toEqual(expect.objectContaining(without(sites[layer.name], "match_rel_err")));
    }
    const order = found.map((layer) =>
      graph.nodes.findIndex(({ outputs }) => outputs.includes(layer.softmax)),
    );
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  test("has the same layers before its dimensions are bound", () => {
    const named = attentionLayers(graph).map(({ name, kind }) => `${name} ${kind}`);
    const bound = attentionLayers(boundTo(graph, calls[0].feeds));
    expect(named).toEqual(bound.map(({ name, kind }) => `${name} ${kind}`));
  });

  describe.each([...calls])("called with $id", (call) => {
    let running: ReturnType<typeof run> | undefined;
    const results = (): ReturnType<typeof run> => (running ??= run(merged(graph, call), call.feeds));

    test.each([...call.cases])("gives PyTorch's numbers: $id", async ({ id, output }) => {
      const got = numbers((await results())[id]);
      expect(got).toBeAllClose(output.data, { abs: tolerance * scaleOf(output.data) });
    });

    test("tells every perturbation from the plain network", async () => {
      const all = await results();
      for (const { id, how } of call.cases) {
        if (how) expect(numbers(all[id])).not.toBeAllClose(numbers(all.base), { abs: 2e-4 });
      }
    });
  });

  test.skipIf(!sag)("gives the attention map and what each token receives (SAG)", async () => {
    const { layer, map, columnSum } = sag!;
    const bound = boundTo(graph, calls[0].feeds);
    for (const [give, want] of [
      ["map", map],
      ["received", columnSum],
    ] as const) {
      const results = await run(withAttentionMaps(bound, [layer], { give }), calls[0].feeds);
      const got = results[mapOutput({ name: layer }, give)];
      expect(got.shape).toEqual(want.shape);
      expect(numbers(got)).toBeAllClose(want.data, { abs: half ? 1e-2 : 2e-5 });
    }
  });
});

function without(record: Readonly<Record<string, string>>, key: string): Record<string, string> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
}
