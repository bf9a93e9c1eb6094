/** euler, heun and dpm2 with churn against the algorithms as their papers print them. */
import { describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, scale, tensor } from "../../base/tensor.ts";
import { last } from "../last.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { variancePreserving } from "../parameterisation.ts";
import { exponential, karras } from "../sigmas.ts";
import { addChurn } from "./churn.ts";
import { dpm2 } from "./dpm2.ts";
import { dpm2Ancestral } from "./dpm2Ancestral.ts";
import { euler } from "./euler.ts";
import { heun } from "./heun.ts";
import type { Noise } from "./sampler.ts";

const SEEDS = [3, 4, 5];
const noise: Noise = (index, shape) => seededNoise(SEEDS, index + 1, shape, "float64");
const x0 = scale(20, seededNoise(SEEDS, 0, [3, 2], "float64"));
const mixture = gaussianMixture({
  weights: [0.6, 0.4],
  means: [
    [-1, 0.5],
    [1.5, -0.5],
  ],
  stds: [0.5, [0.3, 0.8]],
});
const D = (x: Tensor, t: number): Tensor => mixture.denoised(x, t);
const times = karras({ steps: 9, max: 20 });

/** Algorithm 2 of Karras et al. 2022, line by line; `corrects` false leaves out its lines 9 to 11. */
function algorithm2(
  churn: { S: number; min: number; max: number; noise: number },
  corrects: boolean,
): Tensor {
  const N = times.length - 1;
  let x = x0;
  for (let i = 0; i < N; i++) {
    const [t, tNext] = [times[i], times[i + 1]];
    const gamma = t >= churn.min && t <= churn.max ? Math.min(churn.S / N, Math.sqrt(2) - 1) : 0;
    const eps = scale(churn.noise, noise(i, x.shape, { from: t, to: t }));
    const tHat = t + gamma * t;
    const xHat = axpy(Math.sqrt(tHat ** 2 - t ** 2), eps, x);
    const d = scale(1 / tHat, axpy(-1, D(xHat, tHat), xHat));
    x = axpy(tNext - tHat, d, xHat);
    if (corrects && tNext !== 0) {
      const dNext = scale(1 / tNext, axpy(-1, D(x, tNext), x));
      x = axpy((tNext - tHat) / 2, axpy(1, d, dNext), xHat);
    }
  }
  return x;
}

describe.each([
  ["no churn", { S: 0, min: 0, max: Infinity, noise: 1 }],
  ["some churn", { S: 2, min: 0, max: Infinity, noise: 1 }],
  ["as much churn as there can be", { S: 1000, min: 0, max: Infinity, noise: 1 }],
  ["churn between two levels, of more noise", { S: 3, min: 0.1, max: 5, noise: 1.007 }],
])("with %s", (_name, churn) => {
  const options = {
    churn: churn.S,
    churnMin: churn.min,
    churnMax: churn.max,
    churnNoise: churn.noise,
    noise,
  };

  test("heun is Algorithm 2", async () => {
    expect(await last(heun(mixture.denoise, x0, times, options))).toBeAllClose(algorithm2(churn, true), {
      abs: 1e-11,
    });
  });

  test("euler is Algorithm 2 without its correction", async () => {
    expect(await last(euler(mixture.denoise, x0, times, options))).toBeAllClose(algorithm2(churn, false), {
      abs: 1e-11,
    });
  });
});

describe("churn", () => {
  const at = (options: object, sigma = 2) => addChurn(x0, sigma, 0, 10, { noise, ...options });

  test("raises the level by at most sqrt(2), so that at most as much noise is added as was there", () => {
    expect(at({ churn: 1e6 }).sigma).toBeAllClose(2 * Math.SQRT2, { rel: 1e-15 });
    expect(at({ churn: 1 }).sigma).toBeAllClose(2.2, { rel: 1e-15 });
  });

  test("adds noise of the variance between the two levels", () => {
    const { x, sigma } = at({ churn: 3 });
    const added = axpby(1, x, -1, x0);
    expect(added).toBeAllClose(scale(Math.sqrt(sigma ** 2 - 4), noise(0, x.shape, { from: sigma, to: 2 })), {
      abs: 1e-14,
    });
  });

  test("acts on both ends of its interval and not beside them", () => {
    const options = { churn: 3, churnMin: 1, churnMax: 2 };
    for (const sigma of [1, 1.5, 2]) expect(at(options, sigma).sigma).toBeGreaterThan(sigma);
    for (const sigma of [0.999, 2.001]) expect(at(options, sigma)).toEqual({ x: x0, sigma });
  });

  test("of 0 draws nothing", () => {
    expect(addChurn(x0, 2, 0, 10, {}).x).toBe(x0);
  });

  test("asks for its noise between the level that it reaches and the one it had", () => {
    const spans: unknown[] = [];
    at({
      churn: 3,
      noise: (index: number, shape: number[], span: unknown) => (
        spans.push(span),
        noise(index, shape, { from: 1, to: 1 })
      ),
    });
    expect(spans).toEqual([{ from: 2.6, to: 2 }]);
  });
});

describe("dpm2", () => {
  /** DPM-Solver-2 of Lu et al. 2022, Algorithm 1, in its own x = alpha x0 + sigma eps, with r1 = 1/2. */
  function algorithm1(sigmas: readonly number[]): Tensor {
    const lambda = (ve: number): number => -Math.log(ve);
    const eps = (y: Tensor, ve: number): Tensor => {
      const x = scale(1 / variancePreserving(ve).alpha, y);
      return scale(1 / ve, axpy(-1, D(x, ve), x));
    };
    let y = scale(variancePreserving(sigmas[0]).alpha, x0);
    for (let i = 0; i + 1 < sigmas.length; i++) {
      const [ve, veNext] = [sigmas[i], sigmas[i + 1]];
      const h = lambda(veNext) - lambda(ve);
      const s = Math.exp(-(lambda(ve) + h / 2));
      const [now, middle, next] = [ve, s, veNext].map(variancePreserving);
      const u = axpby(middle.alpha / now.alpha, y, -middle.sigma * Math.expm1(h / 2), eps(y, ve));
      y = axpby(next.alpha / now.alpha, y, -next.sigma * Math.expm1(h), eps(u, s));
    }
    return scale(1 / variancePreserving(sigmas[sigmas.length - 1]).alpha, y);
  }

  test("in sigma is Algorithm 1 of DPM-Solver in alpha and lambda", async () => {
    const sigmas = exponential({ steps: 10, min: 0.05, max: 20 }).slice(0, -1);
    expect(await last(dpm2(mixture.denoise, x0, sigmas))).toBeAllClose(algorithm1(sigmas), { abs: 1e-11 });
  });

  test("ancestral without noise is the same", async () => {
    const want = await last(dpm2(mixture.denoise, x0, times));
    expect(await last(dpm2Ancestral(mixture.denoise, x0, times, { eta: 0 }))).toBeAllClose(want, {
      abs: 1e-12,
    });
  });

  test("ancestral is dpm2 to the lower level, then noise up to the next one", async () => {
    const [sigma, next] = [4, 1.5];
    const up = next * Math.sqrt(1 - (next / sigma) ** 2);
    const down = await last(dpm2(mixture.denoise, x0, [sigma, (next * next) / sigma]));
    const want = axpy(0.7 * up, noise(0, x0.shape, { from: sigma, to: next }), down);
    const got = await last(dpm2Ancestral(mixture.denoise, x0, [sigma, next], { noise, noiseScale: 0.7 }));
    expect(got).toBeAllClose(want, { abs: 1e-13 });
  });
});

test("where the slope depends on sigma alone heun is the trapezoidal rule and dpm2 the middle's", async () => {
  // D = x - sigma^3, of slope sigma^2.
  const cubic = (x: Tensor, sigma: number) =>
    Promise.resolve({ data: x.data.map((v) => v - sigma ** 3), shape: x.shape });
  const x = tensor(Float64Array.of(7), [1, 1]);
  const [from, to] = [9, 4];
  expect(await last(heun(cubic, x, [from, to]))).toBeAllClose(7 + ((to - from) * (81 + 16)) / 2, {
    rel: 1e-14,
  });
  expect(await last(dpm2(cubic, x, [from, to]))).toBeAllClose(7 + (to - from) * 36, { rel: 1e-14 });
  expect(await last(euler(cubic, x, [from, to]))).toBeAllClose(7 + (to - from) * 81, { rel: 1e-14 });
});
