import { describe, expect, test } from "vitest";
import { axpby, tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import { last } from "../last.ts";
import { heun } from "../samplers/heun.ts";
import { exponential } from "../sigmas.ts";
import { gaussian } from "./gaussian.ts";
import { gaussianMixture } from "./mixture.ts";

/** Points in one dimension. */
const line = (...values: readonly number[]) => tensor(Float64Array.from(values), [values.length, 1]);

test("in one dimension D(x; s) = (v x + s^2 m) / (v + s^2)", () => {
  const [m, v] = [0.7, 0.09];
  const x = line(-3, 0, 0.7, 5);
  for (const s of [0, 0.01, 0.3, 80]) {
    const want = x.data.map((value) => (v * value + s * s * m) / (v + s * s));
    expect(gaussian({ mean: m, std: 0.3 }).denoised(x, s)).toBeAllClose(want, { rel: 1e-13, abs: 1e-14 });
  }
});

test("std per axis is the diagonal covariance, turned axes the turned covariance", () => {
  const x = tensor(Float64Array.of(0.4, -1, 2), [1, 3]);
  const diagonal = gaussian({
    mean: [1, 0, -1],
    covariance: [
      [0.04, 0, 0],
      [0, 0.25, 0],
      [0, 0, 1],
    ],
  });
  const perAxis = gaussian({ mean: [1, 0, -1], std: [0.2, 0.5, 1] });
  expect(perAxis.denoised(x, 0.3)).toBeAllClose(diagonal.denoised(x, 0.3), { rel: 1e-13 });
  expect(perAxis.path(x, 2, 0.1)).toBeAllClose(diagonal.path(x, 2, 0.1), { rel: 1e-13 });
});

test("the path solves dx/dsigma = (x - D) / sigma", () => {
  const data = gaussian({
    mean: [0.3, -1],
    covariance: [
      [0.5, 0.3],
      [0.3, 0.4],
    ],
  });
  const start = tensor(Float64Array.of(4, -3), [1, 2]);
  for (const sigma of [0.05, 0.5, 2.5]) {
    const at = (to: number) => data.path(start, 3, to);
    const h = 1e-5 * sigma;
    const slope = axpby(1 / (2 * h), at(sigma + h), -1 / (2 * h), at(sigma - h));
    const x = at(sigma);
    expect(slope).toBeAllClose(axpby(1 / sigma, x, -1 / sigma, data.denoised(x, sigma)), { abs: 1e-7 });
  }
  expect(data.path(start, 3, 3)).toBeAllClose(start, { abs: 1e-14 });
});

test("the path carries N(mean, C + from^2) to N(mean, C + to^2)", () => {
  const data = gaussian({ mean: 2, std: 0.5 });
  const [a, b] = data.path(line(2, 2 + Math.hypot(0.5, 80)), 80, 0).data;
  expect([a, b - a]).toBeAllClose([2, 0.5], { rel: 1e-13 });
});

describe("extrapolation between two Gaussians, strong N(1, a) and weak N(0, b), D = D_weak + w (D_strong - D_weak)", () => {
  // The ODE is affine: the path of 0 is the mean, the response to a unit start the spread.
  const TABLE = [
    // a, b, w, mean, variance in the limit of an infinite first sigma
    [1, 2, 1, 1.0, 1.0],
    [1, 2, 1.5, 1.3493, 0.707107],
    [1, 2, 2, 1.6232, 0.5],
    [1, 2, 3, 2.0, 0.25],
    [1, 2, 5, 2.3333, 0.0625],
    [0.25, 1.25, 1.5, 1.2099, 0.111803],
    [0.25, 1.25, 2, 1.3228, 0.05],
    [0.25, 1.25, 3, 1.4, 0.01],
    [0.25, 1.25, 5, 1.3733, 0.0004],
  ] as const;

  test.each(TABLE)("a %f, b %f, w %f: ODE mean %f, variance %f", async (a, b, w, mean, variance) => {
    const strong = gaussian({ mean: 1, std: Math.sqrt(a) });
    const weak = gaussian({ mean: 0, std: Math.sqrt(b) });
    const guided: Evaluate = async (x, sigma) =>
      axpby(w, await strong.denoise(x, sigma), 1 - w, await weak.denoise(x, sigma));
    const sigmas = exponential({ steps: 2000, min: 1e-3, max: 1e4 });
    const [center, one] = (await last(heun(guided, line(0, 1e4), sigmas))).data;
    expect(center).toBeAllClose(mean, { abs: 3e-4 });
    expect((one - center) ** 2).toBeAllClose(variance, { rel: 2e-3 });
  });

  test("equal means: x1 at sigma1 goes to x1 (a^2/(a^2+s1^2))^(w/2) ((b^2+s1^2)/b^2)^((w-1)/2)", async () => {
    const [a, b, w] = [0.5, 1.2, 3];
    const [strong, weak] = [gaussian({ mean: 0, std: a }), gaussian({ mean: 0, std: b })];
    const guided: Evaluate = async (x, sigma) =>
      axpby(w, await strong.denoise(x, sigma), 1 - w, await weak.denoise(x, sigma));
    const got = await last(heun(guided, line(7), exponential({ steps: 1000, min: 1e-3, max: 10 })));
    const want = 7 * (a ** 2 / (a ** 2 + 100)) ** (w / 2) * ((b ** 2 + 100) / b ** 2) ** ((w - 1) / 2);
    expect(got).toBeAllClose([want], { rel: 1e-4 });
  });

  test("equal spreads: the extrapolated denoiser is a Gaussian's, with the extrapolated mean", () => {
    const x = line(-2, 0.1, 3);
    for (const w of [0, 1, 4]) {
      const guided = axpby(
        w,
        gaussian({ mean: 1, std: 0.5 }).denoised(x, 0.8),
        1 - w,
        gaussian({ mean: -1, std: 0.5 }).denoised(x, 0.8),
      );
      expect(guided).toBeAllClose(gaussian({ mean: -1 + 2 * w, std: 0.5 }).denoised(x, 0.8), { abs: 1e-13 });
    }
  });
});

describe("one-dimensional mixtures without guidance, from the quantiles of N(0, 80^2)", () => {
  const starts = line(...Array.from({ length: 4001 }, (_, i) => 80 * normalQuantile((i + 0.5) / 4001)));
  const sigmas = exponential({ steps: 300, min: 1e-4, max: 80 });

  test("N(1, 0.25) comes out with mean 0.99375, deviation 0.49991 and its quantiles", async () => {
    const sample = (await last(heun(gaussian({ mean: 1, std: 0.5 }).denoise, starts, sigmas))).data;
    expect(summary(sample)).toBeAllClose([0.99375, 0.49991], { abs: 2e-4 });
    expect([200, 2000, 3800].map((i) => sample[i])).toBeAllClose([0.1719, 0.9938, 1.8156], { abs: 1e-3 });
  });

  test("two modes at 0.5 and 1.5 of variance 0.01 come out with mean 0.99431, deviation 0.50987, 0.4951 above 1", async () => {
    const mixture = gaussianMixture({ means: [0.5, 1.5], stds: [0.1, 0.1] });
    const sample = (await last(heun(mixture.denoise, starts, sigmas))).data;
    expect(summary(sample)).toBeAllClose([0.99431, 0.50987], { abs: 5e-4 });
    expect(Array.from(sample).filter((x) => x > 1).length / 4001).toBeAllClose(0.4951, { abs: 5e-4 });
  });
});

function summary(values: ArrayLike<number>): [mean: number, deviation: number] {
  const list = Array.from(values);
  const mean = list.reduce((a, b) => a + b) / list.length;
  return [mean, Math.sqrt(list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / list.length)];
}

/** Inverse of the normal distribution function by bisection of its integral (Simpson's rule), to 1e-9. */
function normalQuantile(p: number): number {
  if (p < 0.5) return -normalQuantile(1 - p);
  let [low, high] = [0, 8];
  while (high - low > 1e-10) {
    const middle = (low + high) / 2;
    if (0.5 + integral(middle) < p) low = middle;
    else high = middle;
  }
  return low;
}

/** Integral of the standard normal density from 0 to x. */
function integral(x: number, pieces = 100): number {
  const density = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  const h = x / pieces;
  let sum = density(0) + density(x);
  for (let i = 1; i < pieces; i++) sum += (i % 2 === 1 ? 4 : 2) * density(i * h);
  return (sum * h) / 3;
}
