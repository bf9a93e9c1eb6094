import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { rows, tensor } from "../../base/tensor.ts";
import { mixtureDenoiser } from "../oracles/classes.ts";
import { gaussian } from "../oracles/gaussian.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { differences, pulledBack } from "./jacobian.ts";
import { logLikelihood } from "./likelihood.ts";

const LINE = gaussianMixture({ weights: [0.3, 0.7], means: [-1, 1.5], stds: [0.4, 0.9] });
const PLANE = gaussianMixture({
  weights: [0.6, 0.4],
  means: [
    [-1, 0.5],
    [1.5, -0.5],
  ],
  covariances: [
    [
      [0.3, 0.18],
      [0.18, 0.4],
    ],
    [
      [0.05, 0],
      [0, 0.6],
    ],
  ],
});
const SPACE = gaussianMixture({
  means: [
    [0, 1, -1, 0.5, 2],
    [1, -0.5, 0.3, -1, 0],
  ],
  stds: [0.5, [0.2, 0.9, 0.4, 1, 0.7]],
});

describe.each([
  ["one dimension", LINE],
  ["two dimensions", PLANE],
  ["five dimensions", SPACE],
])("a mixture in %s", (_name, data) => {
  const x = data.sample(philox(1, 0), 6);
  const want = data.logDensity(x, 0.002);
  const exact = { prior: (at: Tensor, sigma: number) => data.logDensity(at, sigma) };

  test("has the log density that its formula says", async () => {
    const { nats, bitsPerDimension } = await logLikelihood(pulledBack(mixtureDenoiser([data])), x, {
      ...exact,
      rtol: 1e-8,
      atol: 1e-8,
    });
    expect(nats).toBeAllClose(want, { abs: 2e-6 });
    const d = data.dimensions;
    expect(bitsPerDimension).toBeAllClose(
      want.map((value) => -value / d / Math.log(2)),
      { abs: 2e-6 },
    );
  });

  test("has it by differences of predictions too, to their precision", async () => {
    const { nats } = await logLikelihood(differences(data.denoise), x, exact);
    expect(nats).toBeAllClose(want, { abs: 1e-4 });
  });

  test("comes nearer to it as the tolerances shrink, in more visits", async () => {
    const run = async (tolerance: number) => {
      const options = { ...exact, rtol: tolerance, atol: tolerance };
      const { nats, visits } = await logLikelihood(pulledBack(mixtureDenoiser([data])), x, options);
      return { error: Math.max(...nats.map((value, i) => Math.abs(value - want[i]))), visits };
    };
    const [loose, middle, tight] = [await run(1e-2), await run(1e-4), await run(1e-6)];
    expect(middle.error).toBeLessThan(loose.error / 5);
    expect(tight.error).toBeLessThan(middle.error / 5);
    expect(tight.visits).toBeGreaterThan(middle.visits);
  });

  test("is approached with order 2 by Heun's method, in 2 visits a step", async () => {
    const run = async (steps: number) => {
      const { nats, visits } = await logLikelihood(pulledBack(mixtureDenoiser([data])), x, {
        ...exact,
        steps,
      });
      expect(visits).toBe(2 * steps);
      return Math.hypot(...nats.map((value, i) => value - want[i]));
    };
    const [coarse, fine] = [await run(400), await run(800)];
    expect(Math.log2(coarse / fine)).toBeAllClose(2, { abs: 0.1 });
  });

  test("has an estimate by random directions whose mean is the exact value (5 standard errors)", async () => {
    for (const [probe, probes] of [
      ["rademacher", 1],
      ["normal", 3],
    ] as const) {
      const n = 400;
      const point = tensor(
        Float64Array.from({ length: n * data.dimensions }, (_, i) => x.data[i % data.dimensions]),
        [n, data.dimensions],
      );
      const { nats } = await logLikelihood(pulledBack(mixtureDenoiser([data])), point, {
        ...exact,
        divergence: "hutchinson",
        probe,
        probes,
        steps: 60,
      });
      const { nats: single } = await logLikelihood(pulledBack(mixtureDenoiser([data])), rows(x, 0, 1), {
        ...exact,
        steps: 60,
      });
      const mean = nats.reduce((sum, value) => sum + value, 0) / n;
      const std = Math.sqrt(nats.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
      expect(Math.abs(mean - single[0])).toBeLessThan(5 * (std / Math.sqrt(n)) + 1e-9);
      // In one dimension a sign's square is 1: the estimate is exact.
      if (probe === "rademacher" && data.dimensions === 1) expect(std).toBeLessThan(1e-9);
      else expect(std).toBeGreaterThan(1e-3);
    }
  });
});

describe("a Gaussian", () => {
  const data = gaussian({ mean: [0.7, -0.2], std: [0.5, 1.2] });
  const curvature = pulledBack(mixtureDenoiser([data]));
  const x = tensor(Float64Array.of(0.9, -1, 0, 2), [2, 2]);

  test("ends where its exact path does", async () => {
    const { latent } = await logLikelihood(curvature, x, { rtol: 1e-9, atol: 1e-9 });
    expect(latent).toBeAllClose(data.path(x, 0.002, 80), { rel: 1e-6 });
  });

  test("is off with the default prior by what N(0, sigmaMax^2) is off at the path's end", async () => {
    const sigmaMax = 5;
    const { nats } = await logLikelihood(curvature, x, { sigmaMax, rtol: 1e-9, atol: 1e-9 });
    const latent = data.path(x, 0.002, sigmaMax);
    const normal = gaussian({ mean: [0, 0], std: sigmaMax }).logDensity(latent, 0);
    const want = data
      .logDensity(x, 0.002)
      .map((value, i) => value + normal[i] - data.logDensity(latent, sigmaMax)[i]);
    expect(nats).toBeAllClose(want, { abs: 1e-6 });
    expect(Math.abs(want[0] - data.logDensity(x, 0.002)[0])).toBeGreaterThan(1e-2);
  });

  test("gives bits of bins where the data is discrete", async () => {
    const density = await logLikelihood(curvature, x);
    const bytes = await logLikelihood(curvature, x, { binWidth: 2 / 256 });
    expect(bytes.bitsPerDimension).toBeAllClose(
      density.bitsPerDimension.map((bits) => bits + 7),
      { abs: 1e-12 },
    );
  });

  test("has the class's density where a class is given, and all rows keep to their own", async () => {
    const other = gaussian({ mean: [-2, 1], std: [0.3, 0.4] });
    const labels = [1, 0];
    const prior = (at: Tensor, sigma: number) =>
      labels.map((label, row) => [data, other][label].logDensity(rows(at, row, row + 1), sigma)[0]);
    const { nats } = await logLikelihood(pulledBack(mixtureDenoiser([data, other]), labels), x, {
      prior,
      rtol: 1e-8,
    });
    const want = labels.map((label, row) => [data, other][label].logDensity(rows(x, row, row + 1), 0.002)[0]);
    expect(nats).toBeAllClose(want, { abs: 1e-4 });
  });

  test("gives a row the same, bit for bit, in any batch by Heun's method", async () => {
    const options = { steps: 20, divergence: "hutchinson", probes: 3, seeds: [5, 6] } as const;
    const both = await logLikelihood(curvature, x, options);
    const alone = await logLikelihood(curvature, rows(x, 1, 2), { ...options, seeds: [6] });
    expect(alone.nats[0]).toBe(both.nats[1]);
  });
});

test("many directions are split over calls of at most 1024 rows, with the same result", async () => {
  const data = gaussian({ mean: [0.7, -0.2], std: [0.5, 1.2] });
  const denoiser = mixtureDenoiser([data]);
  const sizes: number[] = [];
  const watched = pulledBack({
    ...denoiser,
    vjp: (x, ...rest) => (sizes.push(x.shape[0]), denoiser.vjp!(x, ...rest)),
  });
  const x = data.sample(philox(0, 0), 700);
  const options = { steps: 2, prior: (at: Tensor, sigma: number) => data.logDensity(at, sigma) };
  const { nats } = await logLikelihood(watched, x, options);
  expect(new Set(sizes)).toEqual(new Set([700]));
  const { nats: few } = await logLikelihood(watched, rows(x, 0, 3), options);
  expect(Math.max(...sizes.slice(-4))).toBe(6);
  expect(few).toEqual(nats.slice(0, 3));
});

test("what cannot be is refused, by name", async () => {
  const { shape, denoise } = mixtureDenoiser([LINE]);
  expect(() => pulledBack({ shape, denoise })).toThrow("cannot be differentiated");
  const x = tensor(Float64Array.of(0), [1, 1]);
  const run = (options: Parameters<typeof logLikelihood>[2]) =>
    logLikelihood(pulledBack(mixtureDenoiser([LINE])), x, options);
  await expect(run({ sigmaMin: 0 })).rejects.toThrow("sigmaMin of a likelihood is a number above 0, got 0");
  await expect(run({ sigmaMin: 3, sigmaMax: 2 })).rejects.toThrow("got 3 and 2");
  await expect(run({ divergence: "hutchinson", probes: 0 })).rejects.toThrow("probes");
  await expect(run({ steps: 0 })).rejects.toThrow("steps");
});
