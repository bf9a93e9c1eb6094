import { describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import { axpby, axpy, rows, scale, sub } from "../../base/tensor.ts";
import type { Tensor } from "../../base/tensor.ts";
import { alphaBars, linearBetas } from "../../diffusion/betas.ts";
import { last } from "../../diffusion/last.ts";
import { mixtureClassifier, mixtureDenoiser } from "../../diffusion/oracles/classes.ts";
import { gaussian } from "../../diffusion/oracles/gaussian.ts";
import { ddpm } from "../../diffusion/samplers/ddpm.ts";
import type { DdpmVariance } from "../../diffusion/samplers/ddpm.ts";
import { eulerAncestral } from "../../diffusion/samplers/eulerAncestral.ts";
import type { Noise } from "../../diffusion/samplers/sampler.ts";
import { fromBetas, karras, keptTimesteps } from "../../diffusion/sigmas.ts";
import { compose } from "../guidance.ts";
import type { Push } from "../guidance.ts";
import { guide } from "../guide.ts";
import type { NoiseAwareClassifier } from "../resources.ts";
import { type ClassifierGuidanceOptions, classifierGuidance } from "./classifier.ts";

type Labels = readonly number[];
type How = Partial<ClassifierGuidanceOptions<Labels>>;

const classes = [gaussian({ mean: [-1, 0.5], std: 0.5 }), gaussian({ mean: [1, 0], std: [0.4, 0.8] })];
const denoiser = mixtureDenoiser(classes);
const exact = mixtureClassifier(classes);
const classifier: NoiseAwareClassifier = {
  logProbabilityGradient: (x, sigma, labels) => Promise.resolve(exact.gradient(x, sigma, labels)),
};
const labels = [0, 1, 1];
const SEEDS = [3, 4, 5];
const noise: Noise = (index, shape) => seededNoise(SEEDS.slice(0, shape[0]), index + 1, shape, "float64");
const start = (sigma: number): Tensor => scale(sigma, seededNoise(SEEDS, 0, [3, 2], "float64"));

function guided(how: How, condition: Labels = labels) {
  const push = classifierGuidance<Labels>({ scale: 2, classifier, form: "mean-shift", ...how });
  return guide(denoiser, condition, compose([push]));
}

/**
 * Algorithm 1 of Dhariwal & Nichol in DDPM's coordinates z = sqrt(abar) x: x_{t-1} ~ N(mu + s Sigma g, Sigma), with g the gradient
 * with respect to z of log p(y|z), at mu and its noise level or at z and its.
 */
async function algorithm1(
  z: Tensor,
  abars: readonly number[],
  { variance, at, s }: { variance: DdpmVariance; at: "mean" | "x"; s: number },
): Promise<Tensor> {
  const sigmaAt = (abar: number): number => Math.sqrt((1 - abar) / abar);
  const gradient = (point: Tensor, abar: number): Tensor =>
    scale(1 / Math.sqrt(abar), exact.gradient(scale(1 / Math.sqrt(abar), point), sigmaAt(abar), labels));
  for (let i = 0; i + 1 < abars.length; i++) {
    const [abar, previous] = [abars[i], abars[i + 1]];
    const beta = 1 - abar / previous;

    // The posterior mean of the predicted x0 and z.
    const [x0] = await denoiser.denoise(scale(1 / Math.sqrt(abar), z), sigmaAt(abar), [{ condition: null }]);
    const mu = axpby(
      (Math.sqrt(previous) * beta) / (1 - abar),
      x0,
      (Math.sqrt(abar / previous) * (1 - previous)) / (1 - abar),
      z,
    );
    if (previous === 1) return mu;

    const Sigma = variance === "large" ? beta : ((1 - previous) / (1 - abar)) * beta;
    const g = at === "mean" ? gradient(mu, previous) : gradient(z, abar);
    z = axpy(Math.sqrt(Sigma), noise(i, z.shape, { from: 1, to: 0 }), axpy(s * Sigma, g, mu));
  }
  return z;
}

describe("classifier guidance by the mean of a step", () => {
  const betas = linearBetas();
  const abars = [...keptTimesteps(betas.length, 25).map((t) => alphaBars(betas)[t]), 1];
  const sigmas = fromBetas(betas, { steps: 25 });

  test.each([
    { variance: "small", at: "mean" },
    { variance: "small", at: "x" },
    { variance: "large", at: "mean" },
    { variance: "large", at: "x" },
  ] as const)("is Algorithm 1 in alpha: variance $variance, gradient at $at", async ({ variance, at }) => {
    const z = start(1);
    const want = await algorithm1(z, abars, { variance, at, s: 2 });
    const { evaluate } = guided({ at });
    const got = await last(ddpm(evaluate, scale(1 / Math.sqrt(abars[0]), z), sigmas, { variance, noise }));
    expect(got).toBeAllClose(want, { abs: 1e-9 });
  });

  test("the paper's gradient, at the mean, is the default", async () => {
    const run = (how: How) =>
      last(ddpm(guided(how).evaluate, start(20), karras({ steps: 6, max: 20 }), { noise }));
    expect((await run({})).data).toEqual((await run({ at: "mean" })).data);
    expect((await run({})).data).not.toEqual((await run({ at: "x" })).data);
  });

  test("euler-ancestral is ddpm of the small variance, shifted too", async () => {
    const grid = karras({ steps: 9, max: 20 });
    for (const at of ["mean", "x"] as const) {
      const byDdpm = await last(ddpm(guided({ at }).evaluate, start(20), grid, { noise }));
      const byAncestral = await last(eulerAncestral(guided({ at }).evaluate, start(20), grid, { noise }));
      expect(byAncestral).toBeAllClose(byDdpm, { abs: 1e-12 });
    }
  });

  test("the prediction that a step shows is not moved", async () => {
    const steps = ddpm(guided({}).evaluate, start(20), karras({ steps: 3, max: 20 }), { noise });
    for await (const { x, sigma, denoised } of steps) {
      const [want] = await denoiser.denoise(x, sigma, [{ condition: null }]);
      expect(denoised.data).toEqual(want.data);
    }
  });
});

describe("the two forms", () => {
  /** How far the form is from the score form, over one step from sigma to sigma (1 - h), in units of the step. */
  async function apart(at: "mean" | "x", variance: DdpmVariance, h: number): Promise<number> {
    const sigma = 1.5;
    const x = start(sigma);
    const step = (form: "score" | "mean-shift") =>
      last(ddpm(guided({ form, at }).evaluate, x, [sigma, sigma * (1 - h)], { variance, noise }));
    return Math.max(...sub(await step("score"), await step("mean-shift")).data.map(Math.abs)) / h;
  }

  test.each([
    ["mean", "small"],
    ["mean", "large"],
    ["x", "small"],
    ["x", "large"],
  ] as const)("agree as steps become small: gradient at %s, variance %s", async (at, variance) => {
    const [coarse, fine, finest] = [
      await apart(at, variance, 0.01),
      await apart(at, variance, 0.001),
      await apart(at, variance, 0.0001),
    ];
    // A step differs by a constant times h to the power 3/2 (the mean lags the noise) or 2, so that this goes to 0.
    expect(coarse).toBeGreaterThan(0);
    expect(fine).toBeLessThan(coarse / 3);
    expect(finest).toBeLessThan(fine / 3);
  });
});

test("a Gaussian and a Gaussian likelihood: a step's law is Bayes' rule exactly, whatever the step", async () => {
  // p(x'|x) = N(mean, v) and log p(y|x') = a <y, x'> + const: the tilted law is N(mean + v a y, v), with no remainder.
  const [sigma, to] = [5, 0.7];
  const law = gaussian({ mean: [0.3, -1], std: 0.6 });
  const push: Push<null> = {
    method: "linear",
    scale: 1.7,
    interval: { low: 0, high: Infinity },
    shift: "mean",
    gradient: ({ x }) => Promise.resolve({ data: x.data.map((_, i) => [2, -3][i % 2]), shape: x.shape }),
  };
  const net = mixtureDenoiser([law]);
  const { evaluate } = guide(net as never, null, compose([push]));
  const x = start(sigma);
  const silent: Noise = (_, shape) => ({ data: new Float64Array(6), shape });
  const got = await last(ddpm(evaluate, x, [sigma, to], { noise: silent }));
  const plain = await last(ddpm(law.denoise, x, [sigma, to], { noise: silent }));
  const variance = ((sigma ** 2 - to ** 2) * to ** 2) / sigma ** 2;
  const want = plain.data.map((value, i) => value + variance * 1.7 * [2, -3][i % 2]);
  expect(got).toBeAllClose(want, { rel: 1e-13 });
});

describe("a mean shift", () => {
  const grid = karras({ steps: 6, max: 20 });
  const run = (how: How, seedsOf = labels, x = start(20)) => {
    const one = guided(how, seedsOf);
    return last(ddpm(one.evaluate, x, grid, { noise })).then((sample) => ({ sample, ...one }));
  };

  test("of scale 0 is no guidance, bit for bit and free", async () => {
    const { sample, evaluations } = await run({ scale: 0 });
    const plain = guide(denoiser, null, compose<Labels>([]));
    expect(sample.data).toEqual((await last(ddpm(plain.evaluate, start(20), grid, { noise }))).data);
    expect(evaluations).toEqual({ networks: 6, gradients: 0 });
  });

  test("costs a gradient on each step but the last, which adds no noise; at x on every step", async () => {
    expect((await run({})).evaluations).toEqual({ networks: 6, gradients: 5 });
    expect((await run({ at: "x" })).evaluations).toEqual({ networks: 6, gradients: 6 });
  });

  test("is off outside its interval", async () => {
    const { evaluations } = await run({ interval: { low: grid[3], high: grid[1] } });
    expect(evaluations.gradients).toBe(2); // grid[1] and grid[2]: the interval is half-open
  });

  test("moves each row alone, by its own scale", async () => {
    const together = await run({ scale: [0, 1, 3] });
    for (const [row, s] of [0, 1, 3].entries()) {
      const only: Noise = (index, shape) => seededNoise([SEEDS[row]], index + 1, shape, "float64");
      const { evaluate } = guided({ scale: s }, [labels[row]]);
      const alone = await last(ddpm(evaluate, rows(start(20), row, row + 1), grid, { noise: only }));
      expect(rows(together.sample, row, row + 1).data).toEqual(alone.data);
    }
  });

  test("needs a step's noise: without it it is refused, in words that say what to type", async () => {
    const steps = eulerAncestral(guided({}).evaluate, start(20), grid, { eta: 0, noise });
    await expect(last(steps)).rejects.toThrow(/eta above 0.*form=score/);
  });

  test("can ask for the prediction at the mean, which counts as an evaluation", async () => {
    const asked: number[] = [];
    const push: Push<Labels> = {
      ...classifierGuidance<Labels>({ scale: 1, classifier, form: "mean-shift" }),
      async gradient({ x, sigma, predicted }) {
        asked.push(sigma);
        const [want] = await denoiser.denoise(x, sigma, [{ condition: null }]);
        expect((await predicted()).data).toEqual(want.data);
        return x;
      },
    };
    const { evaluate, evaluations } = guide(denoiser, labels, compose([push]));
    await last(ddpm(evaluate, start(20), grid, { noise }));
    expect(asked).toEqual(grid.slice(1, -1));
    expect(evaluations).toEqual({ networks: 6 + 5, gradients: 5 });
  });
});

test("guidance that shifts means says so, for samplers that cannot", () => {
  const push = (form: "score" | "mean-shift") => classifierGuidance<Labels>({ scale: 1, classifier, form });
  expect(compose([push("mean-shift")]).shiftsMean).toBe(true);
  expect(compose([push("score")]).shiftsMean).toBe(false);
});
