/**
 * What guidance makes of Gaussians under samplers with and without noise: closed forms of Bradley & Nakkiran 2024 (arXiv:2408.09000) and
 * of equal spreads. Guided predictions of Gaussians are affine in x, so that means and variances are found without chance.
 */
import { describe, expect, test } from "vitest";
import type { Tensor } from "../base/tensor.ts";
import { tensor } from "../base/tensor.ts";
import type { Denoiser, Evaluate } from "../diffusion/denoiser.ts";
import { last } from "../diffusion/last.ts";
import { gaussian } from "../diffusion/oracles/gaussian.ts";
import { ddpm } from "../diffusion/samplers/ddpm.ts";
import { heun } from "../diffusion/samplers/heun.ts";
import { samplers } from "../diffusion/samplers/index.ts";
import type { Noise } from "../diffusion/samplers/sampler.ts";
import { exponential, karras } from "../diffusion/sigmas.ts";
import { seededNoise } from "../base/philox.ts";
import { buildGuidance } from "./build.ts";
import { compose } from "./guidance.ts";
import { guide } from "./guide.ts";
import { autoguidance } from "./weak/weakerNetwork.ts";

const normal = (mean: number, variance: number) => gaussian({ mean, std: Math.sqrt(variance) });

/** Two laws: with the condition N(mc, a), without it N(mu, b). */
function twoLaws(strong: ReturnType<typeof normal>, weak: ReturnType<typeof normal>): Denoiser {
  return {
    shape: [1],
    denoise: async (x, sigma, branches) =>
      branches.map(({ condition }) => (condition === null ? weak : strong).denoised(x, sigma)),
  };
}

const guided = (denoiser: Denoiser, spec: string, rows: number): Evaluate =>
  guide(denoiser, new Array<number>(rows).fill(0), buildGuidance(spec, { conditional: true })).evaluate;

/** Mean and variance of DDPM's samples from N(0, max^2): row 0 has no start, row 1 a unit start, the others a unit noise each. */
async function lawOfDdpm(evaluate: (rows: number) => Evaluate, steps: number, max: number) {
  const rows = steps + 2;
  const x = tensor(new Float64Array(rows), [rows, 1]);
  x.data[1] = max;
  const unit: Noise = (index, shape) => {
    const out = tensor(new Float64Array(rows), shape);
    out.data[index + 2] = 1;
    return out;
  };
  const sigmas = exponential({ steps, min: 1e-3, max });
  const [mean, ...responses] = (await last(ddpm(evaluate(rows), x, sigmas, { noise: unit }))).data;
  return { mean, variance: responses.reduce((sum, value) => sum + (value - mean) ** 2, 0) };
}

/** The variance of small steps: the error is one over their number, so that two runs tell it. */
async function sdeVariance(evaluate: (rows: number) => Evaluate): Promise<number> {
  const [coarse, fine] = [await lawOfDdpm(evaluate, 150, 1e3), await lawOfDdpm(evaluate, 300, 1e3)];
  return 2 * fine.variance - coarse.variance;
}

/** Mean and variance of the probability-flow ODE's end. */
async function lawOfOde(evaluate: (rows: number) => Evaluate, steps: number, max: number) {
  const x = tensor(Float64Array.of(0, max), [2, 1]);
  const [mean, end] = (await last(heun(evaluate(2), x, exponential({ steps, min: 1e-3, max })))).data;
  return { mean, variance: (end - mean) ** 2 };
}

describe("CFG under DDPM has the variance (ab - a^2w b^(2-2w))/((b - a)(2w - 1)), and not the ODE's", () => {
  test.each([
    { a: 1, b: 2, w: 1, sde: 1, tilted: 1 },
    { a: 1, b: 2, w: 1.5, sde: 0.75, tilted: 0.8 },
    { a: 1, b: 2, w: 2, sde: 0.583333, tilted: 0.666667 },
    { a: 1, b: 2, w: 3, sde: 0.3875, tilted: 0.5 },
    { a: 1, b: 2, w: 5, sde: 0.221788, tilted: 0.333333 },
    { a: 0.25, b: 1.25, w: 1.5, sde: 0.15, tilted: 0.178571 },
    { a: 0.25, b: 1.25, w: 2, sde: 0.103333, tilted: 0.138889 },
    { a: 0.25, b: 1.25, w: 3, sde: 0.06248, tilted: 0.096154 },
    { a: 0.25, b: 1.25, w: 5, sde: 0.034722, tilted: 0.059524 },
  ])("a $a, b $b, w $w: $sde", async ({ a, b, w, sde, tilted }) => {
    const of = (rows: number): Evaluate => guided(twoLaws(normal(1, a), normal(0, b)), `cfg:${w}`, rows);
    expect((a * b - a ** (2 * w) * b ** (2 - 2 * w)) / ((b - a) * (2 * w - 1))).toBeAllClose(sde, {
      abs: 5e-7,
    });
    expect(1 / (w / a + (1 - w) / b)).toBeAllClose(tilted, { abs: 5e-7 });

    const variance = await sdeVariance(of);
    expect(variance).toBeAllClose(sde, { rel: 5e-3 });
    const ode = await lawOfOde(of, 400, 1e3);
    expect(ode.variance).toBeAllClose(a ** w * b ** (1 - w), { rel: 1e-2 });
    if (w === 1) return;
    expect(ode.variance).toBeLessThan(variance);
    expect(variance).toBeLessThan(tilted);
  });
});

test("the counter-example of equal means: 2^(1-w) by the ODE, (2 - 2^(2-2w))/(2w - 1) by DDPM, 2/(w + 1) tilted", async () => {
  for (const w of [1.5, 2, 3]) {
    const of = (rows: number): Evaluate => guided(twoLaws(normal(0, 1), normal(0, 2)), `cfg:${w}`, rows);
    const [ode, variance] = [await lawOfOde(of, 400, 1e3), await sdeVariance(of)];
    expect(ode.variance).toBeAllClose(2 ** (1 - w), { rel: 2e-3 });
    expect(variance).toBeAllClose((2 - 2 ** (2 - 2 * w)) / (2 * w - 1), { rel: 5e-3 });
    expect(ode.mean).toBeAllClose(0, { abs: 1e-12 });
    expect(variance).toBeLessThan(2 / (w + 1));
  }
});

test("autoguidance by a model of another spread has the same laws", async () => {
  const [a, b, w] = [0.25, 1.25, 2];
  const guideOf = twoLaws(normal(0, b), normal(0, b));
  const of = (rows: number): Evaluate => {
    const term = autoguidance<readonly number[]>({ weight: w, guide: guideOf });
    const main = twoLaws(normal(1, a), normal(1, a));
    return guide(main, new Array<number>(rows).fill(0), compose([term])).evaluate;
  };
  expect((await lawOfOde(of, 400, 1e3)).variance).toBeAllClose(0.05, { rel: 2e-3 });
  expect(await sdeVariance(of)).toBeAllClose(0.103333, { rel: 5e-3 });
});

test("DDPM with CFG of weight w is half its conditional prediction and half CFG of weight 2w - 1: predictor and corrector", async () => {
  const denoiser = twoLaws(normal(1, 0.25), normal(0, 1.25));
  const x = tensor(Float64Array.of(-3, 0.2, 5), [3, 1]);
  for (const w of [0, 0.5, 2, 4.5]) {
    for (const sigma of [0.05, 1, 20]) {
      const [c, gamma, both] = await Promise.all(
        [`cfg:1`, `cfg:${2 * w - 1}`, `cfg:${w}`].map((spec) => guided(denoiser, spec, 3)(x, sigma)),
      );
      expect(both).toBeAllClose(
        c.data.map((value, i) => (value + gamma.data[i]) / 2),
        { abs: 1e-13 },
      );
    }
  }
});

describe("of equal spreads guidance is a Gaussian again, N(w mc + (1 - w) mu, a), under every sampler with any noise", () => {
  const x: Tensor = tensor(Float64Array.of(-30, 2, 45), [3, 1]);
  const sigmas = karras({ steps: 6, min: 0.05, max: 20 });
  const noise: Noise = (index, shape, { part = 0 }) =>
    seededNoise([4, 5, 6], index + 1 + 100 * part, shape, "float64");

  test.each(Object.values(samplers).map((sampler) => [sampler.name, sampler] as const))(
    "%s",
    async (_, sampler) => {
      for (const w of [-1, 0.5, 3]) {
        const denoiser = twoLaws(normal(1, 0.36), normal(-0.5, 0.36));
        const law = normal(w * 1 + (1 - w) * -0.5, 0.36);
        const run = (evaluate: Evaluate): Promise<Tensor> =>
          last(sampler.run(evaluate, x, sigmas, { noise }));
        const got = await run(guided(denoiser, `cfg:${w}`, 3));
        expect(got).toBeAllClose(await run(law.denoise), { abs: 1e-10, rel: 1e-10 });
      }
    },
  );
});
