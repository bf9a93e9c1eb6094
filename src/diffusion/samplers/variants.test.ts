/** What implementations do otherwise than the papers, as options: DDPM's variances, DDIM's timesteps, Euler's churn. */
import { describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, map, scale, tensor } from "../../base/tensor.ts";
import { scaledLinearBetas, timestepSigmas } from "../betas.ts";
import type { Evaluate } from "../denoiser.ts";
import { last } from "../last.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { edm } from "../preconditioning.ts";
import { karras } from "../sigmas.ts";
import { ddim } from "./ddim.ts";
import { ddpm } from "./ddpm.ts";
import { euler } from "./euler.ts";
import { withKeptOutput } from "./keptOutput.ts";
import type { Noise } from "./sampler.ts";

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
const grid = karras({ steps: 6, max: 20 });

describe("ddpm's variance", () => {
  const mixed =
    (f: number): Evaluate =>
    (at, sigma) =>
      Promise.resolve({ ...mixture.denoised(at, sigma), varianceMix: map(() => f, at) });

  test.each([
    [0, "small"],
    [1, "large"],
  ] as const)("learned is, where the network says %i, the %s one", async (f, variance) => {
    const want = await last(ddpm(mixture.denoise, x, grid, { variance, noise }));
    expect(await last(ddpm(mixed(f), x, grid, { variance: "learned", noise }))).toBeAllClose(want, {
      abs: 1e-11,
    });
  });

  test("learned lies between them in its logarithm, for each element by itself", async () => {
    const [sigma, next] = [3, 1];
    const shares = [0, 0.25, 0.5, 1, 1.2, 0.9];
    const denoise: Evaluate = (at) =>
      Promise.resolve({ ...scale(0, at), varianceMix: tensor(Float64Array.from(shares), at.shape) });
    const unit: Noise = (_, shape) => tensor(new Float64Array(6).fill(1), shape);
    const got = await last(ddpm(denoise, scale(0, x), [sigma, next], { variance: "learned", noise: unit }));
    const removed = sigma ** 2 - next ** 2;
    const [large, small] = [
      (removed * (1 + next ** 2)) / (1 + sigma ** 2),
      (removed * next ** 2) / sigma ** 2,
    ];
    expect(got).toBeAllClose(
      shares.map((f) => Math.sqrt(large ** f * small ** (1 - f))),
      { rel: 1e-13 },
    );
  });

  test("learned needs a network that says it", async () => {
    await expect(last(ddpm(mixture.denoise, x, grid, { variance: "learned", noise }))).rejects.toThrow(
      "this denoiser predicts no variance",
    );
  });

  test("is 0 on the step to 0, unless the formula is to hold there too", async () => {
    const step = (options: object) => last(ddpm(mixture.denoise, x, [3, 0], { noise, ...options }));
    const denoised = mixture.denoised(x, 3);
    const fresh = noise(0, x.shape, { from: 3, to: 0 });
    for (const variance of ["small", "large"])
      expect(await step({ variance })).toBeAllClose(denoised, { abs: 0 });
    const noisy = await step({ variance: "large", noiseAtEnd: "as-before" });
    expect(noisy).toBeAllClose(axpy(3 / Math.sqrt(10), fresh, denoised), { abs: 1e-14 });
    expect(await step({ variance: "small", noiseAtEnd: "as-before" })).toBeAllClose(denoised, { abs: 0 });
  });
});

describe("ddim counting in timesteps", () => {
  const table = timestepSigmas(scaledLinearBetas());
  const sigmaOf = (t: number): number => (t < 0 ? 0 : table[t]);

  test("changes nothing where every timestep is the one before less the stride", async () => {
    const values = [801, 601, 401, 201, 1];
    const levels = [...values.map(sigmaOf), 0];
    for (const eta of [0, 0.6]) {
      const want = await last(ddim(mixture.denoise, x, levels, { eta, noise }));
      const timesteps = { values, stride: 200, sigmaOf };
      expect(await last(ddim(mixture.denoise, x, levels, { eta, noise, timesteps }))).toBeAllClose(want, {
        abs: 0,
      });
    }
  });

  test("goes to t - stride and takes the sample for one of the next timestep", async () => {
    const timesteps = { values: [999, 888], stride: 100, sigmaOf };
    const levels = [sigmaOf(999), sigmaOf(888), sigmaOf(788)];
    const steps = ddim(mixture.denoise, x, levels, { timesteps });
    await steps.next();
    const second = (await steps.next()).value as { readonly x: Tensor };
    const at899 = await last(ddim(mixture.denoise, x, [sigmaOf(999), sigmaOf(899)]));
    const preserved = (y: Tensor, sigma: number): Tensor => scale(1 / Math.hypot(1, sigma), y);
    expect(preserved(second.x, sigmaOf(888))).toBeAllClose(preserved(at899, sigmaOf(899)), { rel: 1e-13 });
  });
});

describe("euler whose network does not see the churned sample", () => {
  const options = { churn: 4, noise, sigmaData: 0.8 };

  test("is Karras's where no noise is churned, for every kind of output", async () => {
    const want = await last(euler(mixture.denoise, x, grid));
    for (const churnOutput of ["eps", "v", "x0", "edm"] as const)
      expect((await last(euler(mixture.denoise, x, grid, { churnOutput }))).data).toEqual(want.data);
  });

  test("is another sampler where noise is churned", async () => {
    const runs = ["new", "eps", "v", "x0", "edm"] as const;
    const ends = await Promise.all(
      runs.map((churnOutput) => last(euler(mixture.denoise, x, grid, { ...options, churnOutput }))),
    );
    for (let i = 0; i < runs.length; i++)
      for (let j = 0; j < i; j++) expect(Math.abs(ends[i].data[0] - ends[j].data[0])).toBeGreaterThan(1e-6);
  });

  test("evaluates at the grid's levels only", async () => {
    const seen: number[] = [];
    const watched: Evaluate = (at, sigma) => (seen.push(sigma), mixture.denoise(at, sigma));
    await last(euler(watched, x, grid, { ...options, churnOutput: "eps" }));
    expect(seen).toEqual(grid.slice(0, -1));
  });

  test("keeps eps, x0 and EDM's output as they are, each by its own formula", () => {
    const [sigma, hat] = [2, { x: axpy(0.7, noise(0, x.shape, { from: 2.5, to: 2 }), x), sigma: 2.5 }];
    const denoised = mixture.denoised(x, sigma);
    const kept = (kind: Parameters<typeof withKeptOutput>[0]) =>
      withKeptOutput(kind, denoised, { x, sigma }, hat, 0.8);
    expect(kept("x0")).toBe(denoised);
    const eps = (at: Tensor, d: Tensor, level: number): Tensor => axpby(1 / level, at, -1 / level, d);
    expect(eps(hat.x, kept("eps"), 2.5)).toBeAllClose(eps(x, denoised, 2), { abs: 1e-12 });
    const { cSkip, cOut } = edm({ sigmaData: 0.8 });
    const output = (at: Tensor, d: Tensor, level: number): Tensor =>
      axpby(1 / cOut(level), d, -cSkip(level) / cOut(level), at);
    expect(output(hat.x, kept("edm"), 2.5)).toBeAllClose(output(x, denoised, 2), { abs: 1e-12 });
    // v: x / (sigma^2 + 1) - v sigma / sqrt(sigma^2 + 1), with the old sigma throughout.
    const v = axpby(1 / (2 * Math.sqrt(5)), x, -Math.sqrt(5) / 2, denoised);
    expect(kept("v")).toBeAllClose(axpby(1 / 5, hat.x, -2 / Math.sqrt(5), v), { abs: 1e-12 });
  });
});
