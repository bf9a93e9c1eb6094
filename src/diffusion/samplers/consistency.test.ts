/** lcm and tcd: samplers for networks that predict the end of the path. */
import { describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import { axpby, scale, tensor } from "../../base/tensor.ts";
import { scaledLinearBetas, timestepSigmas } from "../betas.ts";
import type { Evaluate } from "../denoiser.ts";
import { last } from "../last.ts";
import { gaussian } from "../oracles/gaussian.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { karras } from "../sigmas.ts";
import { euler } from "./euler.ts";
import { samplers } from "./index.ts";
import { lcm } from "./lcm.ts";
import type { Noise } from "./sampler.ts";
import { lawOf } from "./samplers.cases.ts";
import { tcd } from "./tcd.ts";

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
const data = gaussian({ mean: 0.7, std: 0.5 });

/** The exact consistency function: where the path from x ends. */
const consistent: Evaluate = (at, sigma) => Promise.resolve(data.path(at, sigma, 0));

describe("lcm", () => {
  test.each([1, 2, 4, 9])(
    "with the exact end of the path gives the data's law in %i steps",
    async (steps) => {
      const sigmas = karras({ steps, max: 1e5 });
      const { mean, std } = await lawOf(samplers.lcm, consistent, 0, sigmas);
      expect(mean).toBeAllClose(0.7, { abs: 1e-5 }); // a start of no mean, where the path's is 0.7
      expect(std).toBeAllClose(0.5, { rel: 1e-9 });
    },
  );

  test("with a denoiser comes out with the spread that its recursion says, too small however many the steps", async () => {
    for (const steps of [4, 200]) {
      const sigmas = karras({ steps });
      // One step takes the variance s to (v/(v + sigma^2))^2 s + sigma'^2.
      let variance = 80 ** 2;
      for (let i = 0; i < steps; i++)
        variance = (0.25 / (0.25 + sigmas[i] ** 2)) ** 2 * variance + sigmas[i + 1] ** 2;
      const { std } = await lawOf(samplers.lcm, data.denoise, 0, sigmas);
      expect(std).toBeAllClose(Math.sqrt(variance), { rel: 1e-12 });
      expect(std).toBeLessThan(0.45);
    }
  });

  test("in flow time is the stochastic rule (1 - t') (y - t velocity) + t' noise", async () => {
    const [sigma, next] = [4, 1.5];
    const [t, tNext] = [sigma / (1 + sigma), next / (1 + next)];
    const y = scale(1 - t, x);
    const denoised = mixture.denoised(x, sigma);
    const fresh = noise(0, x.shape, { from: sigma, to: next });
    const want = y.data.map((value, i) => {
      const velocity = (value - (1 - t) * denoised.data[i]) / t - denoised.data[i];
      return (1 - tNext) * (value - t * velocity) + tNext * fresh.data[i];
    });
    const got = await last(lcm(mixture.denoise, x, [sigma, next], { noise }));
    expect(scale(1 - tNext, got)).toBeAllClose(want, { abs: 1e-12 });
  });
});

test("lcm that renews the data keeps the predicted noise, also on the step to 0", async () => {
  const fresh = noise(0, x.shape, { from: 4, to: 1.5 });
  const eps = axpby(1 / 4, x, -1 / 4, mixture.denoised(x, 4));
  for (const next of [1.5, 0]) {
    const got = await last(lcm(mixture.denoise, x, [4, next], { renews: "data", noise }));
    expect(got).toBeAllClose(axpby(1, fresh, next, eps), { abs: 1e-13 });
  }
});

describe("tcd", () => {
  test("with eta 0 is Euler's method and draws nothing, with eta 1 it is lcm", async () => {
    const want = await last(euler(mixture.denoise, x, grid));
    expect(await last(tcd(mixture.denoise, x, grid, { eta: 0 }))).toBeAllClose(want, { abs: 1e-12 });
    const renewed = await last(lcm(mixture.denoise, x, grid, { noise }));
    expect(await last(tcd(mixture.denoise, x, grid, { eta: 1, noise }))).toBeAllClose(renewed, {
      abs: 1e-12,
    });
  });

  test.each([0.1, 0.3, 0.8])(
    "with steps that follow the path exactly keeps the law of data and noise: eta %d",
    async (eta) => {
      // A denoiser by which Euler's step to s = (1 - eta) sigma' ends on the exact path: D = (path(s) - (s/sigma) x) / (1 - s/sigma).
      const sigmas = karras({ steps: 5, max: 1e5 });
      const trajectory: Evaluate = (at, sigma) => {
        const next = sigmas[sigmas.indexOf(sigma) + 1];
        const ratio = ((1 - eta) * next) / sigma;
        const there = data.path(at, sigma, ratio * sigma);
        return Promise.resolve({
          data: there.data.map((value, i) => (value - ratio * at.data[i]) / (1 - ratio)),
          shape: at.shape,
        });
      };
      for (const end of [sigmas, sigmas.slice(0, -1)]) {
        const { mean, std } = await lawOf(samplers.tcd, trajectory, 0.7, end, { eta });
        expect(mean).toBeAllClose(0.7, { abs: 1e-9 });
        expect(std).toBeAllClose(Math.hypot(0.5, end[end.length - 1]), { rel: 1e-9 });
      }
    },
  );

  test("counts (1 - eta) t' in timesteps, rounded down after the product was rounded to float32", async () => {
    const table = timestepSigmas(scaledLinearBetas());
    const values = [999, 755];
    const timesteps = { values, stride: 0, sigmaOf: (t: number) => table[t] };
    const asked: number[] = [];
    const watched = { ...timesteps, sigmaOf: (t: number) => (asked.push(t), table[t]) };
    const sigmas = [...values.map((t) => table[t]), table[0]];
    await last(tcd(mixture.denoise, x, sigmas, { eta: 0.8, noise, timesteps: watched }));
    // 0.2 * 755 is 150.99999999999997 in float64 and 151 in float32.
    expect(asked).toEqual([755, 151, 0, 0]);
  });

  test("puts back another prediction's noise where the prediction carries one", async () => {
    const other = gaussianMixture({ means: [[0, 0]], stds: [1] });
    const carrying: Evaluate = (at, sigma) =>
      Promise.resolve({ ...mixture.denoised(at, sigma), renoise: other.denoised(at, sigma) });
    const [sigma, next] = [4, 1.5];
    const got = await last(tcd(carrying, x, [sigma, next], { eta: 0 }));
    const [d, u] = [mixture.denoised(x, sigma), other.denoised(x, sigma)];
    expect(got).toBeAllClose(
      Array.from(d.data, (value, i) => value + (next / sigma) * (x.data[i] - u.data[i])),
      { abs: 1e-13 },
    );
  });
});

test("with one point of data both are exact from the first step", async () => {
  const point: Evaluate = (at) =>
    Promise.resolve(tensor(new Float64Array(at.data.length).fill(-0.7), at.shape));
  for (const sampler of [samplers.lcm, samplers.tcd])
    expect(
      (await last(sampler.run(point, x, [20, 0], { noise }))).data.every((value) => value === -0.7),
    ).toBe(true);
});
