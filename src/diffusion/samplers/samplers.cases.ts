import { describe, expect, test } from "vitest";
import { philox, seededNoise } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { map, scale, tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import { last } from "../last.ts";
import { gaussian } from "../oracles/gaussian.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import type { Sigmas } from "../sigmas.ts";
import { karras } from "../sigmas.ts";
import type { Sampler } from "./index.ts";
import type { Noise, Step } from "./sampler.ts";

const mixture = gaussianMixture({
  weights: [0.6, 0.4],
  means: [
    [-1, 0.5],
    [1.5, -0.5],
  ],
  stds: [0.5, [0.3, 0.8]],
});
const SEEDS = [0, 1, 2, 3, 4];
const sigmas = karras({ steps: 7, min: 0.02, max: 20 });
const noise: Noise = (index, shape, { part = 0 }) =>
  seededNoise(SEEDS.slice(0, shape[0]), index + 1 + 100 * part, shape, "float64");

function start(kind: "float32" | "float64" = "float64"): Tensor {
  const x = seededNoise(SEEDS, 0, [SEEDS.length, 2], kind);
  return { data: x.data.map((value) => value * sigmas[0]), shape: x.shape };
}

/** Every step and the sample of a run, and the (x, sigma, step) of each call of the denoiser. */
async function record(sampler: Sampler, x: Tensor, grid = sigmas, noiseOf: Noise | undefined = noise) {
  const calls: { x: Tensor; sigma: number; step?: number }[] = [];
  const denoise: Evaluate = (at, sigma, step) => {
    calls.push({ x: at, sigma, step });
    return mixture.denoise(at, sigma);
  };
  const steps: Step[] = [];
  const run = sampler.run(denoise, x, grid, { noise: noiseOf });
  for (;;) {
    const { done, value } = await run.next();
    if (done) return { steps, sample: value, calls };
    steps.push(value);
  }
}

/** What every sampler of the catalogue keeps to. */
export function samplerCases(sampler: Sampler): void {
  describe(sampler.name, () => {
    const { visitsGrid = true, endsAtPrediction = true, noises = 1 } = sampler;

    // Steps of its own: what a step and its end are does not follow from the grid.
    test.runIf(visitsGrid)(
      "yields every step with its index, its noise levels and the prediction made there",
      async () => {
        const x = start();
        const { steps } = await record(sampler, x);
        expect(steps.map((step) => step.index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
        expect(steps.map((step) => step.sigma)).toEqual(sigmas.slice(0, -1));
        expect(steps.map((step) => step.next)).toEqual(sigmas.slice(1));
        expect(steps[0].x).toBe(x);
        for (const { x: at, sigma, denoised } of steps)
          expect(denoised).toBeAllClose(mixture.denoised(at, sigma), { abs: 0 });
      },
    );

    test.runIf(endsAtPrediction)(
      "ends at sigma 0 with the last prediction, exactly, and without fresh noise",
      async () => {
        for (const kind of ["float32", "float64"] as const) {
          const { steps, sample } = await record(sampler, start(kind));
          expect(sample.data).toEqual(steps[steps.length - 1].denoised.data);
        }
      },
    );

    // A single step has no grid of two noise levels above 0.
    test.runIf(visitsGrid)("takes one step to the prediction", async () => {
      const { sample, calls } = await record(sampler, start(), [20, 0]);
      expect(sample).toBeAllClose(mixture.denoised(start(), 20), { abs: endsAtPrediction ? 0 : 1e-13 });
      expect(calls).toHaveLength(1);
    });

    test("calls the denoiser as often as it says, first at the first sigma", async () => {
      for (const count of visitsGrid ? [1, 2, 3, 4, 5, 7, 12] : [2, 3, 7, 8]) {
        const { calls } = await record(sampler, start(), karras({ steps: count, max: 20 }));
        const said = sampler.evaluations(count);
        if (said !== null) expect(calls).toHaveLength(said);
        expect(calls[0].sigma).toBeAllClose(20, { rel: 1e-14 });
      }
    });

    test("says of each evaluation which step it is for: the first of a step is at the step's sample, none comes late", async () => {
      const { steps, calls } = await record(sampler, start());
      const numbers = calls.map(({ step }) => step!);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      expect([...new Set(numbers)]).toEqual(steps.map(({ index }) => index));
      for (const { index, x, sigma } of steps) {
        const first = calls[numbers.indexOf(index)];
        expect(first.x).toBe(x);
        expect(first.sigma).toBe(sigma);
      }
    });

    test("is exact for data at a single point: what comes out lies about it with the last noise level's spread", async () => {
      const point = -0.7;
      const denoise: Evaluate = (x) =>
        Promise.resolve({ data: new Float64Array(x.data.length).fill(point), shape: x.shape });
      for (const grid of [sigmas.slice(0, -1), sigmas.slice(0, 4)]) {
        const { mean, std } = await lawOf(sampler, denoise, point, grid);
        expect(mean).toBeAllClose(point, { abs: 1e-12 });
        expect(std).toBeAllClose(grid[grid.length - 1], { rel: 1e-11 });
      }
      const { mean, std } = await lawOf(sampler, denoise, point, sigmas);
      expect(mean).toBeAllClose(point, { abs: 1e-12 });
      expect(std).toBeAllClose(visitsGrid ? 0 : sigmas[sigmas.length - 2], { abs: 1e-12 });
    });

    // An adaptive step depends on absolute sizes; flow time, t = sigma/(1 + sigma), on the unit of sigma.
    const isAdaptive = "rtol" in sampler.options;
    test.runIf(!isAdaptive && sampler.name !== "flow-heun")(
      "gives the same samples in another unit: data, start and noise levels times 3",
      async () => {
        const { sample } = await record(sampler, start());
        const inUnits: Evaluate = (at, sigma) =>
          Promise.resolve(scale(3, mixture.denoised(scale(1 / 3, at), sigma / 3)));
        const larger = sigmas.map((sigma) => 3 * sigma);
        const got = await last(sampler.run(inUnits, scale(3, start()), larger, { noise }));
        expect(scale(1 / 3, got)).toBeAllClose(sample, { abs: 1e-10 });
      },
    );

    test.runIf(!isAdaptive)("moves its samples where data and start are moved", async () => {
      const { sample } = await record(sampler, start());
      const shift = (x: Tensor, by: number): Tensor => map((value) => value + by, x);
      const moved: Evaluate = (at, sigma) =>
        Promise.resolve(shift(mixture.denoised(shift(at, -2), sigma), 2));
      const got = await last(sampler.run(moved, shift(start(), 2), sigmas, { noise }));
      expect(shift(got, -2)).toBeAllClose(sample, { abs: 1e-10 });
    });

    test("does not write to what it was given", async () => {
      const x = start();
      const { steps } = await record(sampler, x);
      expect(x.data).toEqual(start().data);
      expect(steps[1].denoised).toBeAllClose(mixture.denoised(steps[1].x, steps[1].sigma), { abs: 0 });
    });

    test("keeps the array kind and the shape of x", async () => {
      for (const [kind, Kind] of [
        ["float32", Float32Array],
        ["float64", Float64Array],
      ] as const) {
        const { steps, sample } = await record(sampler, start(kind));
        for (const tensor of [sample, ...steps.map((step) => step.x)]) {
          expect(tensor.data).toBeInstanceOf(Kind);
          expect(tensor.shape).toEqual([SEEDS.length, 2]);
        }
      }
      // Float32 follows float64 up to its precision (values up to 20 at the start), unless another step is accepted.
      if (sampler.name === "dpm-adaptive") return;
      const [single, double] = await Promise.all([
        record(sampler, start("float32")),
        record(sampler, start("float64")),
      ]);
      expect(single.sample).toBeAllClose(double.sample, { abs: 2e-5 });
    });

    // A sampler that looks ahead takes the last steps of the shorter grid in another way.
    const isCut = visitsGrid && !(sampler.looksAhead ?? false);
    test.runIf(isCut)("leaves the sample noisy where the grid ends above 0", async () => {
      const whole = await record(sampler, start());
      const part = await record(sampler, start(), sigmas.slice(0, 4));
      expect(part.steps).toHaveLength(3);
      expect(part.sample).toBeAllClose(whole.steps[3].x, { abs: 0 });
    });

    // Samplers of order 0 renew the noise whatever the length of the step; steps that look ahead are others.
    test.runIf(visitsGrid && sampler.order > 0 && !sampler.looksAhead)(
      "stays where it is where the last noise level is repeated",
      async () => {
        const { sample } = await record(sampler, start(), [...sigmas.slice(0, 4), sigmas[3]]);
        const { sample: want } = await record(sampler, start(), sigmas.slice(0, 4));
        expect(sample).toBeAllClose(want, { abs: 1e-13 });
      },
    );

    test("can be stopped after a step, and then evaluates no more", async () => {
      const calls: number[] = [];
      const run = sampler.run((x, sigma) => (calls.push(sigma), mixture.denoise(x, sigma)), start(), sigmas, {
        noise,
      });
      for await (const { index } of run) if (index === 1) break;
      const before = calls.length;
      expect(before).toBeLessThan(sampler.evaluations(sigmas.length - 1) ?? Infinity);
      expect(await run.next()).toEqual({ done: true, value: undefined });
      expect(calls).toHaveLength(before);
    });

    // An adaptive step is as long as the whole batch allows.
    test.runIf(sampler.name !== "dpm-adaptive")(
      "gives each sample of a batch what it gives it alone",
      async () => {
        const { sample } = await record(sampler, start());
        const x = start();
        const alone = { data: x.data.slice(4, 6), shape: [1, 2] };
        const ownNoise: Noise = (index, _, { part = 0 }) =>
          seededNoise([SEEDS[2]], index + 1 + 100 * part, [1, 2], "float64");
        expect((await record(sampler, alone, sigmas, ownNoise)).sample.data).toEqual(sample.data.slice(4, 6));
      },
    );

    test("passes on an error of the denoiser", async () => {
      const failing: Evaluate = () => Promise.reject(new Error("out of memory"));
      await expect(last(sampler.run(failing, start(), sigmas, { noise }))).rejects.toThrow("out of memory");
    });

    test("refuses a grid that ascends or goes below 0", async () => {
      for (const grid of [[1, 2, 0], [1, -0.5], [1]]) {
        await expect(record(sampler, start(), grid)).rejects.toThrow("sigmas");
      }
    });

    test("refuses options that it does not have and values out of range, by name", () => {
      const run = (options: Record<string, unknown>) => () =>
        sampler.run(mixture.denoise, start(), sigmas, options);
      expect(run({ strength: 1 })).toThrow(`sampler ${sampler.name} has no option "strength"; it has: noise`);
      for (const [key, { choices }] of Object.entries(sampler.options)) {
        expect(run({ [key]: choices ? "medium" : -1 })).toThrow(`${key} of sampler ${sampler.name}`);
        expect(run({ [key]: NaN })).toThrow(`${key} of sampler ${sampler.name}`);
      }
    });

    test("lists for each option the default that it acts with", async () => {
      const defaults = Object.fromEntries(
        Object.entries(sampler.options).map(([key, option]) => [key, option.default]),
      );
      const { sample } = await record(sampler, start());
      expect(
        (await last(sampler.run(mixture.denoise, start(), sigmas, { ...defaults, noise }))).data,
      ).toEqual(sample.data);
    });

    if (sampler.stochastic) stochasticCases(sampler, noises);
    else deterministicCases(sampler);
  });
}

function deterministicCases(sampler: Sampler): void {
  test("draws no noise", async () => {
    await record(sampler, start(), sigmas, () => {
      throw new Error("drew noise");
    });
    await record(sampler, start(), sigmas, undefined);
  });

  test(`converges with order ${sampler.order} to the exact path of a Gaussian`, async () => {
    const { rtol } = sampler.options;
    const [coarse, middle, fine] = await Promise.all(
      rtol
        ? [1e-3, 1e-5, 1e-7].map((one) => pathError(sampler, [80, 0.002], { rtol: one, atol: one }))
        : gridErrors(sampler),
    );
    // Steps that are as long as they may be are not all divided by the same number.
    const abs = rtol ? 0.5 : 0.1;
    for (const [before, after] of rtol
      ? [[middle, fine]]
      : [
          [coarse, middle],
          [middle, fine],
        ]) {
      const seen = Math.log(before.error / after.error) / Math.log(after.evaluations / before.evaluations);
      expect(seen).toBeAllClose(sampler.order, { abs });
    }
  });
}

/** How far from the exact path of a Gaussian a run from 80 to 0.002 ends, and what it cost. */
export async function pathError(
  { run }: Sampler,
  grid: Sigmas,
  options: Readonly<Record<string, unknown>> = {},
): Promise<{ readonly error: number; readonly evaluations: number }> {
  const data = gaussian({ mean: 0.7, std: 0.5 });
  const x = tensor(Float64Array.of(60), [1, 1]);
  let evaluations = 0;
  const got = await last(run((at, sigma) => (evaluations++, data.denoise(at, sigma)), x, grid, options));
  return { error: Math.abs(got.data[0] - data.path(x, 80, 0.002).data[0]), evaluations };
}

/** The errors of three grids, each about twice as fine as the one before; they end above 0: the jump to 0 is the same for every sampler. */
export function gridErrors(
  sampler: Sampler,
  options: Readonly<Record<string, unknown>> = {},
): Promise<{ readonly error: number; readonly evaluations: number }>[] {
  // dpm-fast ends by a step of order 2 where the steps leave 2 over 3.
  const counts = sampler.visitsGrid === false ? [239, 479, 959] : [256, 512, 1024];
  return counts.map((steps) => pathError(sampler, karras({ steps: steps + 1 }).slice(0, -1), options));
}

function stochasticCases(sampler: Sampler, noises: number): void {
  test("asks for the noise of each step but the one to 0, once and of the shape of x", async () => {
    const drawn: number[] = [];
    await record(sampler, start(), sigmas, (index, shape, span) => {
      drawn.push(index + (span.part ?? 0) / 2);
      expect(shape).toEqual([SEEDS.length, 2]);
      return noise(index, shape, span);
    });
    const steps = [0, 1, 2, 3, 4, 5];
    expect(drawn).toEqual(noises === 2 ? steps.flatMap((i) => [i, i + 0.5]) : steps);
  });

  test("asks for noise between two levels of the step that it is for, the lower one last", async () => {
    const spans: { index: number; from: number; to: number }[] = [];
    await record(sampler, start(), sigmas, (index, shape, span) => {
      spans.push({ index, from: span.from, to: span.to });
      return noise(index, shape, span);
    });
    expect(spans.length).toBeGreaterThan(0);
    for (const { index, from, to } of spans) {
      expect(from).toBeLessThanOrEqual(sigmas[index] * (1 + 1e-12));
      expect(to).toBeLessThan(from);
      expect(to).toBeGreaterThanOrEqual(sigmas[index + 1] * (1 - 1e-12));
    }
    // A Brownian path is asked for the whole of every step.
    for (let i = 0; i + 2 < sigmas.length; i++) {
      const ends = spans.filter(({ index }) => index === i).map(({ to }) => to);
      expect(Math.min(...ends)).toBeAllClose(sigmas[i + 1], { rel: 1e-12 });
    }
  });

  test("says what to pass where it is given no noise", async () => {
    await expect(last(sampler.run(mixture.denoise, start(), sigmas))).rejects.toThrow("options.noise");
  });

  // Order 0: made for other networks than denoisers, see lcm.test.ts and tcd.test.ts.
  if (sampler.order === 0) return;

  test("converges in law to a Gaussian's mean and standard deviation (responses to unit noises, exactly)", async () => {
    const error = async (steps: number) => {
      const { mean, std } = await law(sampler, steps);
      return [Math.abs(mean - 0.7), Math.abs(std - 0.5)];
    };
    const [coarse, fine] = [await error(200), await error(400)];
    expect(fine[0]).toBeLessThan(1e-3);
    expect(Math.log2(coarse[1] / fine[1])).toBeAllClose(sampler.order, { abs: 0.15 });
  });

  test("reproduces the mean and the spread of a mixture (4,000 samples, 5 standard errors)", async () => {
    const n = 4000;
    const seeds = Array.from({ length: n }, (_, i) => i);
    const grid = karras({ steps: 150, min: 0.005, max: 40 });
    const data = gaussianMixture({ weights: [0.3, 0.7], means: [-1, 1], stds: [0.4, 0.2] });
    const x = seededNoise(seeds, 0, [n, 1], "float64");
    const sample = await last(
      sampler.run(data.denoise, { data: x.data.map((z) => z * 40), shape: x.shape }, grid, {
        noise: (index, shape, { part = 0 }) => ({ data: fill(shape[0], index + 1000 * part), shape }),
      }),
    );
    // Mean 0.4; variance 0.3 * 0.16 + 0.7 * 0.04 + 0.84 = 0.916; share below 0: 0.3 * Phi(2.5) + 0.7 * Phi(-5).
    const values = Array.from(sample.data);
    const mean = average(values);
    expect(mean).toBeAllClose(0.4, { abs: 5 * Math.sqrt(0.916 / n) });
    expect(average(values.map((v) => (v - 0.4) ** 2))).toBeAllClose(0.916, { abs: 5 * Math.sqrt(1.1 / n) });
    expect(average(values.map((v) => (v < 0 ? 1 : 0)))).toBeAllClose(0.2981, {
      abs: 5 * Math.sqrt(0.21 / n),
    });
  });
}

/** Mean and standard deviation of what a sampler makes of N(0.7, 0.5^2), without chance. */
export function law(sampler: Sampler, steps: number): Promise<{ mean: number; std: number }> {
  return lawOf(sampler, gaussian({ mean: 0.7, std: 0.5 }).denoise, 0, karras({ steps }));
}

/**
 * Mean and standard deviation of what a sampler makes of starts from N(centre, sigmas[0]^2), without chance. For an affine denoiser the
 * sample is affine in the start and in the noises: row 0 has neither, row 1 a unit start, the further ones a unit noise at a step.
 */
export async function lawOf(
  sampler: Sampler,
  denoise: Evaluate,
  centre: number,
  grid: Sigmas,
  options: Readonly<Record<string, unknown>> = {},
): Promise<{ mean: number; std: number }> {
  const { noises = 1 } = sampler;
  const rows = noises * (grid.length - 1) + 2;
  const x = tensor(new Float64Array(rows).fill(centre), [rows, 1]);
  x.data[1] += grid[0];
  const unit: Noise = (index, shape, { part = 0 }) => {
    const out = tensor(new Float64Array(rows), shape);
    out.data[noises * index + part + 2] = 1;
    return out;
  };
  const [mean, ...responses] = (await last(sampler.run(denoise, x, grid, { ...options, noise: unit }))).data;
  return { mean, std: Math.sqrt(responses.reduce((sum, value) => sum + (value - mean) ** 2, 0)) };
}

/** Normals of one stream for the whole batch: quicker than one stream per row. */
function fill(length: number, index: number): Float64Array {
  const out = new Float64Array(length);
  philox(7, index).fillNormal(out);
  return out;
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
