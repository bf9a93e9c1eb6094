/** The samplers of DPM-Solver++ with noise, and in own steps, against their papers' formulas in alpha, sigma and lambda. */
import { describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, scale, tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import { last } from "../last.ts";
import { gaussian } from "../oracles/gaussian.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { variancePreserving } from "../parameterisation.ts";
import { exponential, karras } from "../sigmas.ts";
import { dpmAdaptive } from "./dpmAdaptive.ts";
import { dpmFast } from "./dpmFast.ts";
import { dpmpp2m } from "./dpmpp2m.ts";
import { dpmpp2mSde } from "./dpmpp2mSde.ts";
import { dpmpp2sAncestral } from "./dpmpp2sAncestral.ts";
import { dpmpp3mSde } from "./dpmpp3mSde.ts";
import { dpmppSde } from "./dpmppSde.ts";
import type { Noise, Step } from "./sampler.ts";

const SEEDS = [3, 4, 5];
const noise: Noise = (index, shape, { part = 0 }) =>
  seededNoise(SEEDS, index + 1 + 50 * part, shape, "float64");
const span = { from: 1, to: 1 };
const x0 = scale(20, seededNoise(SEEDS, 0, [3, 2], "float64"));
const mixture = gaussianMixture({
  weights: [0.6, 0.4],
  means: [
    [-1, 0.5],
    [1.5, -0.5],
  ],
  stds: [0.5, [0.3, 0.8]],
});
const D = (x: Tensor, ve: number): Tensor => mixture.denoised(x, ve);
const grid = karras({ steps: 8, min: 0.05, max: 20 });
const lambda = (ve: number): number => -Math.log(ve);

/** Runs `step` from level to level of the grid's positive part in the variance-preserving form, and gives the end in ours. */
function preserving(step: (y: Tensor, i: number, ve: number, next: number) => Tensor): Tensor {
  const levels = grid.slice(0, -1);
  let y = scale(variancePreserving(levels[0]).alpha, x0);
  for (let i = 0; i + 1 < levels.length; i++) y = step(y, i, levels[i], levels[i + 1]);
  return scale(1 / variancePreserving(levels[levels.length - 1]).alpha, y);
}

/** The prediction of x0 at y of the variance-preserving form. */
const atPreserving = (y: Tensor, ve: number): Tensor => D(scale(1 / variancePreserving(ve).alpha, y), ve);

test("dpmpp-2m is Algorithm 2 of DPM-Solver++", async () => {
  let [before, hBefore]: [Tensor | undefined, number] = [undefined, 0];
  const want = preserving((y, _, ve, next) => {
    const [now, then] = [variancePreserving(ve), variancePreserving(next)];
    const h = lambda(next) - lambda(ve);
    const d = atPreserving(y, ve);
    const r = hBefore / h;
    const target = before ? axpby(1 + 1 / (2 * r), d, -1 / (2 * r), before) : d;
    [before, hBefore] = [d, h];
    return axpby(then.sigma / now.sigma, y, -then.alpha * Math.expm1(-h), target);
  });
  expect(await last(dpmpp2m(mixture.denoise, x0, grid.slice(0, -1)))).toBeAllClose(want, { abs: 1e-11 });
});

test("dpmpp-2s-ancestral without noise is Algorithm 1 of DPM-Solver++ with r = 1/2", async () => {
  const want = preserving((y, _, ve, next) => {
    const h = lambda(next) - lambda(ve);
    const middle = Math.exp(-(lambda(ve) + h / 2));
    const [now, s, then] = [ve, middle, next].map(variancePreserving);
    const u = axpby(s.sigma / now.sigma, y, -s.alpha * Math.expm1(-h / 2), atPreserving(y, ve));
    // With r = 1/2 the combination (1 - 1/(2r)) D + 1/(2r) D(u) is D(u).
    return axpby(then.sigma / now.sigma, y, -then.alpha * Math.expm1(-h), atPreserving(u, middle));
  });
  const got = await last(dpmpp2sAncestral(mixture.denoise, x0, grid.slice(0, -1), { eta: 0 }));
  expect(got).toBeAllClose(want, { abs: 1e-11 });
});

test("dpmpp-2m-sde is SDE-DPM-Solver++(2M) of the paper's section 5", async () => {
  let [before, hBefore]: [Tensor | undefined, number] = [undefined, 0];
  const want = preserving((y, i, ve, next) => {
    const [now, then] = [variancePreserving(ve), variancePreserving(next)];
    const h = lambda(next) - lambda(ve);
    const d = atPreserving(y, ve);
    const grown = 1 - Math.exp(-2 * h);
    let out = axpby((then.sigma / now.sigma) * Math.exp(-h), y, then.alpha * grown, d);
    if (before) out = axpy((then.alpha * grown * h) / (2 * hBefore), axpby(1, d, -1, before), out);
    [before, hBefore] = [d, h];
    return axpy(then.sigma * Math.sqrt(grown), noise(i, y.shape, span), out);
  });
  const got = await last(dpmpp2mSde(mixture.denoise, x0, grid.slice(0, -1), { noise }));
  expect(got).toBeAllClose(want, { abs: 1e-11 });
});

describe("the two stages of dpmpp-sde", () => {
  test.each([0.3, 0.5, 0.8])(
    "go to the level at r = %d of the step, in ln sigma, and mix their predictions",
    async (r) => {
      const [sigma, next] = [4, 1.5];
      const middle = Math.exp((1 - r) * Math.log(sigma) + r * Math.log(next));
      const exact = (from: number, to: number, d: Tensor, fresh: Tensor): Tensor => {
        // One exact step of the reverse SDE with D held: (to/from)^2 x + (1 - (to/from)^2) D + to sqrt(1 - (to/from)^2) noise.
        const ratio = (to / from) ** 2;
        return axpy(to * Math.sqrt(1 - ratio), fresh, axpby(ratio, x0, 1 - ratio, d));
      };
      const d = D(x0, sigma);
      const between = exact(sigma, middle, d, noise(0, x0.shape, span));
      const mixed = axpby(1 - 1 / (2 * r), d, 1 / (2 * r), D(between, middle));
      const want = exact(sigma, next, mixed, noise(0, x0.shape, { ...span, part: 1 }));
      const got = await last(dpmppSde(mixture.denoise, x0, [sigma, next], { r, noise }));
      expect(got).toBeAllClose(want, { abs: 1e-12 });
    },
  );
});

test("dpmpp-3m-sde integrates a prediction that is linear in lambda exactly, once two have been seen", async () => {
  // With D = p(lambda) alone, x' = e^-H x + integral of (1 + eta) e^(-(1 + eta)(l' - l)) p(l) dl.
  const p = (l: number): number => 0.3 - 0.7 * l;
  const linear: Evaluate = (at, sigma) =>
    Promise.resolve(tensor(new Float64Array(at.data.length).fill(p(lambda(sigma))), at.shape));
  const levels = exponential({ steps: 6, min: 0.1, max: 10 }).slice(0, -1);
  for (const eta of [0, 0.5]) {
    const run = dpmpp3mSde(linear, tensor(Float64Array.of(3), [1, 1]), levels, {
      eta,
      noise: () => tensor(Float64Array.of(0), [1, 1]),
    });
    const seen: number[] = [];
    for (let one = await run.next(); ; one = await run.next()) {
      seen.push(one.done ? one.value.data[0] : one.value.x.data[0]);
      if (one.done) break;
    }
    for (let i = 1; i + 1 < seen.length; i++) {
      const [from, to] = [lambda(levels[i]), lambda(levels[i + 1])];
      const n = 4000;
      let integral = 0;
      for (let k = 0; k < n; k++) {
        const l = from + ((k + 0.5) / n) * (to - from);
        integral += (1 + eta) * Math.exp(-(1 + eta) * (to - l)) * p(l) * ((to - from) / n);
      }
      const want = Math.exp(-(1 + eta) * (to - from)) * seen[i] + integral;
      expect(seen[i + 1]).toBeAllClose(want, { abs: 1e-6 });
    }
  }
});

describe("dpm-fast", () => {
  const data = gaussian({ mean: 0.7, std: 0.5 });
  const start = tensor(Float64Array.of(6), [1, 1]);

  test.each([
    [3, [2, 1]],
    [4, [3, 1]],
    [5, [3, 2]],
    [6, [3, 2, 1]],
    [10, [3, 3, 3, 1]],
  ] as const)(
    "spends %i evaluations in steps of orders %j, equally long in ln sigma",
    async (count, orders) => {
      const seen: number[] = [];
      const watched: Evaluate = (at, sigma, step) => (seen.push(step!), data.denoise(at, sigma));
      const levels = Array.from({ length: count + 1 }, (_, i) => 8 - (7.95 * i) / count);
      const steps: Step[] = [];
      for await (const step of dpmFast(watched, start, levels)) steps.push(step);
      expect(orders.map((_, i) => seen.filter((step) => step === i).length)).toEqual(orders);
      for (const { sigma, next } of steps)
        expect(Math.log(sigma / next)).toBeAllClose(Math.log(8 / 0.05) / orders.length, { rel: 1e-12 });
    },
  );

  test("needs two levels above 0", async () => {
    await expect(last(dpmFast(data.denoise, start, [8, 0]))).rejects.toThrow("two noise levels above 0");
  });
});

describe("dpm-adaptive", () => {
  const data = gaussian({ mean: 0.7, std: 0.5 });
  const start = tensor(Float64Array.of(6), [1, 1]);

  test("takes its first step of the length that is asked for where that is accurate, and longer ones after", async () => {
    const steps: Step[] = [];
    for await (const step of dpmAdaptive(data.denoise, start, [8, 0.05], { firstStep: 0.01 }))
      steps.push(step);
    const lengths = steps.map(({ sigma, next }) => Math.log(sigma / next));
    expect(lengths[0]).toBeAllClose(0.01, { rel: 1e-12 });
    expect(lengths[1]).toBeGreaterThan(lengths[0]);
  });

  test("asks for `order` evaluations a step where every step is taken at once", async () => {
    for (const order of [2, 3]) {
      let evaluations = 0;
      const watched: Evaluate = (at, sigma) => (evaluations++, data.denoise(at, sigma));
      let steps = 0;
      for await (const _ of dpmAdaptive(watched, start, [8, 4], {
        order,
        firstStep: 0.01,
        rtol: 10,
        atol: 10,
      }))
        steps++;
      // Order 2 shares only the first evaluation between its orders; order 3 also the second.
      expect(evaluations).toBe(order * steps);
    }
  });

  test("ends at the last level above 0", async () => {
    const ends = await last(dpmAdaptive(data.denoise, start, [8, 2, 0.05, 0], { rtol: 1e-6, atol: 1e-6 }));
    expect(ends).toBeAllClose(data.path(start, 8, 0.05), { abs: 1e-4 });
  });
});
