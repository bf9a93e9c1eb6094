import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { seededNoise } from "../base/philox.ts";
import { rows, scale } from "../base/tensor.ts";
import type { Branch, Labels } from "../diffusion/denoiser.ts";
import { type EmbeddingNoise, noisyEmbedding } from "../diffusion/embeddingNoise.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { tinyConfig, tinyParameters } from "../testing/tinyModel.ts";
import { preconditioningOf } from "../training/modelConfig.ts";
import { networkLayout } from "./network.ts";
import { networkDenoiser } from "./networkDenoiser.ts";

const config = tinyConfig();
const { network } = config;
const preconditioning = preconditioningOf(config.objective)!;
const parameters = tinyParameters(config);
const layout = networkLayout(network);
const runtime = nodeRuntime({ threads: 1 });
const withParameters = (changed: Float32Array) =>
  networkDenoiser(runtime, { network, parameters: changed, preconditioning });
const denoiser = withParameters(parameters);
afterAll(() => runtime.dispose());

const x = seededNoise([1, 2, 3], 0, [3, 1, 8, 8]);
const labels: Labels = [0, 1, 2];
const sigma = 0.7;
const noise: EmbeddingNoise = { keep: 0.6, amount: 0.8, rescale: 0.5, seeds: [11, 12, 13], stream: 4 };

/** The network's parameters with some changed: `change` has those of one name to change in place. */
function changed(name: string, change: (values: Float32Array) => void, from = parameters): Float32Array {
  const copy = from.slice();
  const { offset, size } = layout.entries.find((entry) => entry.name === name)!;
  change(copy.subarray(offset, offset + size));
  return copy;
}

/** One row's prediction by the network with other parameters. */
async function ofOther(changes: Float32Array, row: number, label: number) {
  const other = withParameters(changes);
  const [denoised] = await other.denoise(rows(x, row, row + 1), sigma, [{ condition: [label] }]);
  await other.dispose();
  return denoised;
}

describe("a noise level that the network is told", () => {
  test("changes what it is told and nothing else: D = cSkip(sigma) x + cOut(sigma) F(cIn(sigma) x; told)", async () => {
    const told = [0.3, 0.7, 5];
    const [got, usual] = await denoiser.denoise(x, sigma, [
      { condition: labels, told },
      { condition: labels },
    ]);
    const { cSkip, cOut, cIn } = preconditioning;
    for (const [row, level] of told.entries()) {
      // The network's input at sigma, as that of another x at the level told; so F is found from that one's D.
      const same = scale(cIn(sigma) / cIn(level), rows(x, row, row + 1));
      const [atLevel] = await denoiser.denoise(same, level, [{ condition: [labels[row]] }]);
      const F = atLevel.data.map((d, i) => (d - cSkip(level) * same.data[i]) / cOut(level));
      const want = F.map((f, i) => cSkip(sigma) * x.data[row * 64 + i] + cOut(sigma) * f);
      expect(rows(got, row, row + 1).data).toBeAllClose(want, { abs: 2e-5 });
    }
    expect(rows(got, 1, 2)).toBeAllClose(rows(usual, 1, 2), { abs: 1e-6 });
    expect(rows(got, 2, 3)).not.toBeAllClose(rows(usual, 2, 3), { abs: 1e-3 });
  });

  test("must be above 0, one for each sample", async () => {
    const ask = (told: number[]) => denoiser.denoise(x, sigma, [{ condition: labels, told }]);
    await expect(ask([1, 0, 1])).rejects.toThrow("noise levels above 0, got 0");
    await expect(ask([1])).rejects.toThrow("3 samples take 3 noise levels to be told, got 1");
  });
});

describe("noise on the condition", () => {
  test("is what a network with such a table of classes computes", async () => {
    const [got] = await denoiser.denoise(x, sigma, [{ condition: labels, conditionNoise: noise }]);
    for (const [row, label] of labels.entries()) {
      const other = changed("embed.classes", (table) =>
        table.set(noisyEmbedding(table.slice(16 * label, 16 * label + 16), noise, row), 16 * label),
      );
      expect(rows(got, row, row + 1)).toBeAllClose(await ofOther(other, row, label), { abs: 1e-5 });
    }
  });

  test("is not put on rows without a condition", async () => {
    const [dropped, mixed, noisy, plain] = await denoiser.denoise(x, sigma, [
      { condition: null, conditionNoise: noise },
      { condition: [0, -1, 2], conditionNoise: noise },
      { condition: labels, conditionNoise: noise },
      { condition: null },
    ]);
    expect(dropped).toBeAllClose(plain, { abs: 1e-6 });
    expect(rows(mixed, 1, 2)).toBeAllClose(rows(plain, 1, 2), { abs: 1e-6 });
    expect(rows(mixed, 0, 1)).toBeAllClose(rows(noisy, 0, 1), { abs: 1e-6 });
    expect(rows(noisy, 0, 1)).not.toBeAllClose(rows(plain, 0, 1), { abs: 1e-3 });
  });
});

test("noise on the level's embedding is what a network with such a first layer computes", async () => {
  const [got] = await denoiser.denoise(x, sigma, [
    { condition: labels, levelNoise: { ...noise, rescale: 0 } },
  ]);
  for (const [row, label] of labels.entries()) {
    const weights = changed("embed.noise.weight", (values) =>
      values.forEach((w, i) => (values[i] = 0.6 * w)),
    );
    const biased = changed(
      "embed.noise.bias",
      (values) => values.set(noisyEmbedding(values.slice(), { ...noise, rescale: 0 }, row)),
      weights,
    );
    expect(rows(got, row, row + 1)).toBeAllClose(await ofOther(biased, row, label), { abs: 1e-5 });
  }
});

describe("branches with and without", () => {
  const identity = { kind: "identity", layers: ["mid"] } as const;
  const branches: Branch<Labels>[] = [
    { condition: labels, conditionNoise: noise },
    { condition: labels, conditionNoise: noise, perturbation: identity },
    { condition: labels, conditionNoise: noise, levelNoise: noise },
    { condition: labels, told: [1, 2, 3] },
    { condition: null },
    { condition: labels },
    { condition: labels, perturbation: identity },
  ];

  test("asked for together equal each asked for alone, and no two are the same", async () => {
    const together = await denoiser.denoise(x, sigma, branches);
    for (const [i, branch] of branches.entries()) {
      const [alone] = await denoiser.denoise(x, sigma, [branch]);
      expect(together[i]).toBeAllClose(alone, { abs: 1e-6 });
      for (const other of together.slice(0, i)) expect(other).not.toBeAllClose(alone, { abs: 1e-4 });
    }
  });

  test("a row does not depend on the others: its seed and its level go with it", async () => {
    const whole = await denoiser.denoise(x, sigma, branches);
    const lone = (how: EmbeddingNoise | undefined) => how && { ...how, seeds: how.seeds.slice(2) };
    for (const [i, { condition, told, conditionNoise, levelNoise, ...branch }] of branches.entries()) {
      const alone: Branch<Labels> = {
        ...branch,
        condition: condition && condition.slice(2),
        told: told?.slice(2),
        conditionNoise: lone(conditionNoise),
        levelNoise: lone(levelNoise),
      };
      const [third] = await denoiser.denoise(rows(x, 2, 3), sigma, [alone]);
      expect(third).toBeAllClose(rows(whole[i], 2, 3), { abs: 1e-6 });
    }
  });

  test("a gradient is pulled back through what the branch says", async () => {
    const branch: Branch<Labels> = { condition: labels, told: [1, 2, 3], conditionNoise: noise };
    const cotangent = seededNoise([4, 5, 6], 0, [3, 1, 8, 8]);
    const { denoised, gradient } = await denoiser.vjp(x, sigma, branch, cotangent);
    const [want] = await denoiser.denoise(x, sigma, [branch]);
    expect(denoised).toBeAllClose(want, { abs: 1e-5 });
    const usual = await denoiser.vjp(x, sigma, { condition: labels }, cotangent);
    expect(gradient).not.toBeAllClose(usual.gradient, { abs: 1e-3 });
  });

  test("the plan says what is changed, and counts it as an evaluation", () => {
    const { steps, evaluations } = denoiser.plan(
      [
        { condition: labels, conditionNoise: noise },
        { condition: labels, told: [1, 2, 3] },
        { condition: null },
      ],
      3,
    );
    expect(evaluations).toBeAllClose(3, { rel: 1e-12 });
    expect(steps[0]).toContain("3 conditions as one batch of 9 rows");
    expect(steps[0]).toContain("(noise on the condition's embedding; told another noise level)");
  });
});

test("a network without an embedding refuses noise on it", async () => {
  const unconditional = tinyConfig({ classes: 0 });
  const other = networkDenoiser(runtime, {
    network: unconditional.network,
    parameters: tinyParameters(unconditional),
    preconditioning,
  });
  const ask = (branch: Partial<Branch<Labels>>) => other.denoise(x, sigma, [{ condition: null, ...branch }]);
  await expect(ask({ conditionNoise: noise })).rejects.toThrow(UsageError);
  await expect(ask({ conditionNoise: noise })).rejects.toThrow("no embedding of the condition");
  await expect(ask({ levelNoise: { ...noise, seeds: [1] } })).rejects.toThrow(
    "3 samples take 3 seeds, got 1",
  );
  expect(other.embeddings).toEqual({ conditionNoise: undefined, levelNoise: 16 });
});
