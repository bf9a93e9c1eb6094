import { describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import { axpby, axpy, scale } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import { last } from "../last.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { karras } from "../sigmas.ts";
import { euler } from "./euler.ts";
import { ancestralSplit, eulerAncestral } from "./eulerAncestral.ts";
import { samplers } from "./index.ts";
import type { Noise } from "./sampler.ts";
import { lawOf } from "./samplers.cases.ts";

const SEEDS = [3, 4, 5];
const noise: Noise = (index, shape) => seededNoise(SEEDS, index + 1, shape, "float64");
const x = scale(20, seededNoise(SEEDS, 0, [3, 2], "float64"));
const mixture = gaussianMixture({
  weights: [0.6, 0.4],
  means: [
    [-1, 0.5],
    [1.5, -0.5],
  ],
  stds: [0.5, [0.3, 0.8]],
});
const PAIRS = [
  [80, 57],
  [4, 1.5],
  [0.02, 0.002],
  [3, 0],
] as const;

describe("the level below and the noise up to the next one", () => {
  test.each([0, 0.3, 1, 1.7, 50])("make up the next level together: eta %d", (eta) => {
    for (const [sigma, next] of PAIRS) {
      const { down, up } = ancestralSplit(sigma, next, eta);
      expect(Math.hypot(down, up)).toBeAllClose(next, { rel: 1e-14 });
      expect(up).toBeLessThanOrEqual(next);
    }
  });

  test("is all below without eta, less the more there is, and never below 0", () => {
    const [sigma, next] = [4, 1.5];
    expect(ancestralSplit(sigma, next, 0)).toEqual({ down: next, up: 0 });
    const downs = [0, 0.2, 0.5, 1, 1.05].map((eta) => ancestralSplit(sigma, next, eta).down);
    for (let i = 1; i < downs.length; i++) expect(downs[i]).toBeLessThan(downs[i - 1]);
    expect(ancestralSplit(sigma, next, 2)).toEqual({ down: 0, up: next });
  });

  test("with eta 1 is next^2/sigma and the posterior's deviation next sqrt(1 - next^2/sigma^2)", () => {
    for (const [sigma, next] of PAIRS) {
      const { down, up } = ancestralSplit(sigma, next, 1);
      expect(down).toBeAllClose((next * next) / sigma, { rel: 1e-10 });
      expect(up).toBeAllClose(next * Math.sqrt(1 - (next / sigma) ** 2), { rel: 1e-14 });
    }
  });

  test("is nothing at all on a step that stays", () => {
    expect(ancestralSplit(2, 2, 1)).toEqual({ down: 2, up: 0 });
  });
});

describe("euler-ancestral", () => {
  test("without eta is Euler's method and draws nothing", async () => {
    const grid = karras({ steps: 9, max: 20 });
    const want = await last(euler(mixture.denoise, x, grid));
    expect(await last(eulerAncestral(mixture.denoise, x, grid, { eta: 0 }))).toBeAllClose(want, {
      abs: 1e-13,
    });
  });

  test("is, where the prediction is right, the posterior of x' given x and x0", async () => {
    // q(x' | x, x0) = N(x0 + (s'^2/s^2) (x - x0), s'^2 (s^2 - s'^2)/s^2)
    const [sigma, next] = [4, 1.5];
    const x0 = seededNoise([7, 8, 9], 0, [3, 2], "float64");
    const known: Evaluate = () => Promise.resolve(x0);
    const ratio = (next / sigma) ** 2;
    const mean = axpby(ratio, x, 1 - ratio, x0);
    const want = axpy(Math.sqrt(next ** 2 * (1 - ratio)), noise(0, x.shape, { from: sigma, to: next }), mean);
    expect(await last(eulerAncestral(known, x, [sigma, next], { noise }))).toBeAllClose(want, { abs: 1e-13 });
  });

  test("with less or more noise than belongs there comes out with less or more spread", async () => {
    const point: Evaluate = (at) => Promise.resolve(scale(0, at));
    const grid = karras({ steps: 8, max: 20 }).slice(0, -1);
    const end = grid[grid.length - 1];
    const std = async (noiseScale: number) =>
      (await lawOf(samplers["euler-ancestral"], point, 0, grid, { noiseScale })).std;
    expect(await std(1)).toBeAllClose(end, { rel: 1e-12 });
    expect(await std(0.9)).toBeLessThan(end);
    expect(await std(1.1)).toBeGreaterThan(end);
  });

  test("keeps the law of a point at every eta", async () => {
    const point: Evaluate = (at) => Promise.resolve(scale(0, at));
    const grid = karras({ steps: 8, max: 20 }).slice(0, -1);
    for (const eta of [0, 0.3, 0.9, 1, 1.3])
      expect((await lawOf(samplers["euler-ancestral"], point, 0, grid, { eta })).std).toBeAllClose(
        grid[grid.length - 1],
        { rel: 1e-12 },
      );
  });
});
