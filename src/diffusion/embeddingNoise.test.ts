import { describe, expect, test } from "vitest";
import { philox } from "../base/philox.ts";
import { type Branch, type Labels, sameBranch } from "./denoiser.ts";
import { type EmbeddingNoise, noisyEmbedding, sameNoise } from "./embeddingNoise.ts";

const embedding = [1, -2, 0.5, 4];
const none: EmbeddingNoise = { keep: 1, amount: 0, rescale: 0, seeds: [7, 8, 7], stream: 3 };

/** Mean, and standard deviation with the n divisor. */
function moments(values: ArrayLike<number>): [mean: number, std: number] {
  const list = Array.from(values);
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  return [mean, Math.sqrt(list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length)];
}

describe("noise on an embedding", () => {
  test("keep 1 without noise is the embedding, bit for bit", () => {
    expect(Array.from(noisyEmbedding(embedding, none, 0))).toEqual(embedding);
  });

  test("is keep*e + amount*n, with the first normals of the row's seed and the stream", () => {
    const n = new Float64Array(4);
    philox(8, 3).fillNormal(n);
    const want = embedding.map((e, i) => 0.6 * e + 0.8 * n[i]);
    expect(noisyEmbedding(embedding, { ...none, keep: 0.6, amount: 0.8 }, 1)).toBeAllClose(want, {
      rel: 1e-15,
    });
  });

  test("depends on the seed, not on the row", () => {
    const how = { ...none, amount: 1 };
    expect(noisyEmbedding(embedding, how, 2)).toEqual(noisyEmbedding(embedding, how, 0));
    expect(noisyEmbedding(embedding, how, 1)).not.toEqual(noisyEmbedding(embedding, how, 0));
    expect(noisyEmbedding(embedding, { ...how, stream: 4 }, 0)).not.toEqual(
      noisyEmbedding(embedding, how, 0),
    );
  });

  test("rescale 1 has the embedding's mean and standard deviation, and between is a straight line", () => {
    const at = (rescale: number) => noisyEmbedding(embedding, { ...none, keep: 0.3, amount: 2, rescale }, 0);
    expect(moments(at(1))).toBeAllClose(moments(embedding), { abs: 1e-14 });
    expect(moments(at(0))).not.toBeAllClose(moments(embedding), { abs: 0.1 });
    expect(at(0.25)).toBeAllClose(
      at(0).map((value, i) => 0.75 * value + 0.25 * at(1)[i]),
      { abs: 1e-14 },
    );
  });

  test("without spread there is nothing to rescale", () => {
    expect(Array.from(noisyEmbedding([3, 3], { ...none, rescale: 1 }, 0))).toEqual([3, 3]);
  });
});

describe("branches", () => {
  const condition: Labels = [1, 2];
  const branch: Branch<Labels> = { condition, told: [1, 2], conditionNoise: none, levelNoise: none };

  test("with equal levels told and equal noises are the same prediction", () => {
    const copy = { ...branch, told: [1, 2], conditionNoise: { ...none, seeds: [7, 8, 7] } };
    expect(sameBranch(branch, copy)).toBe(true);
    expect(sameNoise(none, { ...none })).toBe(true);
  });

  const others: Record<string, Partial<Branch<Labels>>> = {
    "told nothing": { told: undefined },
    "told another level": { told: [1, 3] },
    "without noise on the condition": { conditionNoise: undefined },
    "without noise on the level": { levelNoise: undefined },
    "of another condition": { condition: [1, 2] },
    perturbed: { perturbation: { kind: "identity", layers: "all" } },
  };
  test.each(Object.entries(others))("%s are another prediction", (_, change) => {
    expect(sameBranch(branch, { ...branch, ...change })).toBe(false);
    expect(sameBranch({ ...branch, ...change }, branch)).toBe(false);
  });

  const changes: Partial<EmbeddingNoise>[] = [
    { keep: 0.5 },
    { amount: 1 },
    { rescale: 1 },
    { stream: 4 },
    { seeds: [7, 8, 9] },
    { seeds: [7, 8] },
  ];
  test.each(changes)("a noise with %o is another", (change) => {
    expect(sameBranch(branch, { ...branch, levelNoise: { ...none, ...change } })).toBe(false);
  });
});
