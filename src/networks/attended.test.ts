import { afterAll, describe, expect, test } from "vitest";
import { seededNoise } from "../base/philox.ts";
import { rows } from "../base/tensor.ts";
import type { Labels } from "../diffusion/denoiser.ts";
import { attentionLayers } from "../graph/attention.ts";
import { costOf } from "../graph/cost.ts";
import { interpret } from "../graph/interpret.ts";
import { mapOutput, withAttentionMaps } from "../graph/perturb.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { tinyConfig, tinyParameters } from "../testing/tinyModel.ts";
import { preconditioningOf } from "../training/modelConfig.ts";
import { attendedGraph } from "./attended.ts";
import { networkDenoiser } from "./networkDenoiser.ts";
import { networkGraph } from "./networkGraph.ts";

const config = tinyConfig({ features: [8, 8], attention: [true, true] });
const { network } = config;
const preconditioning = preconditioningOf(config.objective)!;
const parameters = tinyParameters(config);
const denoiser = networkDenoiser(nodeRuntime({ threads: 1 }), { network, parameters, preconditioning });
afterAll(() => denoiser.dispose());

const x = seededNoise([1, 2, 3, 4, 5], 0, [5, 1, 8, 8]);
const condition: Labels = [0, 1, 2, 0, -1];
const sigma = 0.7;

describe("what tokens receive", () => {
  test("is the map's mean over heads, summed over queries, on the grid of each layer's tokens", async () => {
    const layers = ["down.0", "mid"];
    const got = await denoiser.attended(x, sigma, { condition }, layers);
    expect(got.map(({ shape }) => shape)).toEqual([
      [5, 8, 8],
      [5, 4, 4],
    ]);

    // The maps of the same graph on the host, for the whole batch.
    const graph = networkGraph(network, parameters, 5);
    const maps = interpret(withAttentionMaps(graph, layers), {
      x: { data: x.data.map((value) => preconditioning.cIn(sigma) * value), shape: x.shape },
      noise: { data: new Float64Array(5).fill(sigma), shape: [5] },
      labels: { data: condition.map((label) => (label < 0 ? 3 : label)), shape: [5] },
    });
    const chosen = attentionLayers(graph).filter(({ name }) => /down.0|mid/.test(name));
    chosen.forEach((layer, at) => {
      const { data, shape } = maps[mapOutput(layer)];
      const [, heads, queries, keys] = shape;
      const want = got[at].data.map((_, i) => {
        const [row, key] = [Math.floor(i / keys), i % keys];
        let sum = 0;
        for (let h = 0; h < heads; h++)
          for (let q = 0; q < queries; q++)
            sum += Number(data[((row * heads + h) * queries + q) * keys + key]);
        return sum / heads;
      });
      expect(got[at]).toBeAllClose(want, { abs: 2e-5 });
    });
  });

  test("is 1 on average, and differs between tokens", async () => {
    const [map] = await denoiser.attended(x, sigma, { condition: null }, ["mid"]);
    for (let row = 0; row < 5; row++) {
      const received = Array.from(rows(map, row, row + 1).data);
      expect(received.reduce((a, b) => a + b) / 16).toBeCloseTo(1, 5);
      expect(Math.max(...received)).toBeGreaterThan(1.01);
    }
  });

  test("of a row does not depend on the others; the condition and the level that is told count", async () => {
    const of = async (branch: Parameters<typeof denoiser.attended>[2], at = x) =>
      (await denoiser.attended(at, sigma, branch, ["mid"]))[0];
    const together = await of({ condition });
    const alone = await of({ condition: [2] }, rows(x, 2, 3));
    expect(alone).toBeAllClose(rows(together, 2, 3), { abs: 1e-5 });
    expect(await of({ condition: null })).not.toBeAllClose(together, { abs: 1e-4 });
    expect(await of({ condition, told: [1, 2, 3, 4, 5] })).not.toBeAllClose(together, { abs: 1e-4 });
  });

  test("is all that is computed, by what comes before the last of the layers", () => {
    const plain = networkGraph(network, parameters, 1);
    const { graph, maps } = attendedGraph(plain, ["mid"]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(maps.map(({ output }) => output));
    expect(costOf(graph).flops).toBeLessThan(0.6 * costOf(plain).flops);
    expect(costOf(attendedGraph(plain, ["down.0"]).graph).flops).toBeLessThan(0.6 * costOf(graph).flops);
  });

  test("of layers that are not there is refused", async () => {
    await expect(denoiser.attended(x, sigma, { condition }, ["deep"])).rejects.toThrow(/deep/);
  });
});

describe("another size", () => {
  const { resized } = denoiser;

  test("is the same network: of its own size it gives the same", async () => {
    const [want] = await denoiser.denoise(x, sigma, [{ condition }]);
    const [got] = await resized!.to(8).denoise(x, sigma, [{ condition }]);
    expect(got.data).toEqual(want.data);
  });

  test("of half the side takes such images, by the same weights", async () => {
    const half = resized!.to(4);
    expect(half.shape).toEqual([1, 4, 4]);
    expect(resized!.to(4)).toBe(half);
    const small = seededNoise([1, 2], 1, [2, 1, 4, 4]);
    const [got] = await half.denoise(small, sigma, [{ condition: [1, 2] }]);
    const direct = networkDenoiser(nodeRuntime({ threads: 1 }), {
      network: tinyConfig({ size: 4, features: [8, 8], attention: [true, true] }).network,
      parameters,
      preconditioning,
    });
    const [want] = await direct.denoise(small, sigma, [{ condition: [1, 2] }]);
    await direct.dispose();
    expect(got.data).toEqual(want.data);
  });

  test("is a multiple of what the levels halve; a network of points has one size", () => {
    expect(resized!.multiple).toBe(2);
    expect(() => resized!.to(5)).toThrow(/whose side is a multiple of 2, got 5/);
    expect(() => resized!.to(0)).toThrow(/multiple of 2, got 0/);
  });
});
