/** Embeddings of the noise level and of classes in networks as diffusers exports them, and noise on these. */
import { describe, expect, test } from "vitest";
import { decodeFloat16, encodeFloat16 } from "../src/base/float16.ts";
import { sizeOf } from "../src/base/tensor.ts";
import type { Graph } from "../src/graph/graph.ts";
import { embeddingInputs, embeddingOf, withEmbeddingNoise } from "../src/graph/perturb/embedding.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { RuntimeTensor } from "../src/runtime/runtime.ts";
import { type Call, boundTo, denoisers } from "./pipelineCases.ts";

const runtime = nodeRuntime({ threads: 1 });

/** What a network gives for each of some inputs. */
async function run(graph: Graph, inputs: readonly Call["feeds"][]): Promise<ArrayLike<number>[]> {
  const program = await runtime.compile(graph);
  const results: ArrayLike<number>[] = [];
  for (const feeds of inputs) {
    const [{ data }] = Object.values(await program.run(feeds));
    results.push(data instanceof Uint16Array ? decodeFloat16(data) : (data as Float32Array));
  }
  await program.dispose();
  return results;
}

/** What `time_embedding` of a UNet gives; a DiT of diffusers embeds the level anew in each block, from these features. */
const levels =
  /^(\/time_embedding\/linear_2\/Gemm_output_0|linear_1|\/transformer_blocks\.0\/norm1\/emb\/Cast_output_0)$/;

describe.each(denoisers())("$name", ({ graph, half, calls }) => {
  const { feeds } = calls[0];
  const bound = boundTo(graph, feeds);
  const noisy = withEmbeddingNoise(bound, ["timestep"]);

  /** The inputs that put noise on an embedding, the same in each element. */
  function noise(keep: number, amount: number): Record<string, RuntimeTensor> {
    const names = embeddingInputs("timestep");
    const filled = (name: string, value: number): [string, RuntimeTensor] => {
      const shape = noisy.inputs.find((input) => input.name === name)!.shape as readonly number[];
      const data = new Float32Array(sizeOf(shape)).fill(value);
      return [name, { data: half ? encodeFloat16(data) : data, shape }];
    };
    return Object.fromEntries([
      filled(names.keep, keep),
      filled(names.noise, amount),
      filled(names.rescale, 0),
    ]);
  }

  test("the noise level's embedding is what the time embedding gives", () => {
    expect(embeddingOf(bound, "timestep")?.value).toMatch(levels);
    for (const input of ["sample", "hidden_states", "encoder_hidden_states", "no such input"])
      expect(embeddingOf(bound, input)).toBeUndefined();
  });

  test("keep 1 and noise 0 change nothing; noise changes the prediction", async () => {
    const [plain] = await run(bound, [feeds]);
    const [same, noised, dropped] = await run(
      noisy,
      [noise(1, 0), noise(1, 1), noise(0, 0)].map((given) => ({ ...feeds, ...given })),
    );
    const abs = (half ? 5e-3 : 2e-5) * Math.max(1, ...Array.from(plain, Math.abs));
    expect(same).toBeAllClose(plain, { abs });
    expect(noised).not.toBeAllClose(plain, { abs: 3 * abs });
    expect(dropped).not.toBeAllClose(plain, { abs: 3 * abs });
  });
});
