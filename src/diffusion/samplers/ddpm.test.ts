import { expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, scale, tensor } from "../../base/tensor.ts";
import { alphaBars, cosineBetas, linearBetas, scaledLinearBetas } from "../betas.ts";
import type { Evaluate } from "../denoiser.ts";
import { last } from "../last.ts";
import { gaussian } from "../oracles/gaussian.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { exponential, fromBetas, keptTimesteps } from "../sigmas.ts";
import { ddim } from "./ddim.ts";
import { ddpm } from "./ddpm.ts";
import type { DdpmVariance } from "./ddpm.ts";
import { euler } from "./euler.ts";
import { eulerAncestral } from "./eulerAncestral.ts";
import type { Noise } from "./sampler.ts";

const mixture = gaussianMixture({
  weights: [0.6, 0.4],
  means: [
    [-1, 0.5],
    [1.5, -0.5],
  ],
  stds: [0.5, [0.3, 0.8]],
});
const SEEDS = [3, 4, 5];
const noise: Noise = (index, shape) => seededNoise(SEEDS, index + 1, shape, "float64");
const z = seededNoise(SEEDS, 0, [3, 2], "float64");

/** Noise predicted at x = sqrt(abar) x0 + sqrt(1 - abar) noise, by the exact denoiser. */
async function epsAt(x: Tensor, abar: number): Promise<Tensor> {
  const sigma = Math.sqrt((1 - abar) / abar);
  const ve = scale(1 / Math.sqrt(abar), x);
  return axpby(1 / sigma, ve, -1 / sigma, await mixture.denoise(ve, sigma));
}

/** abar of the kept timesteps, descending in noise, and abar = 1 at the end. */
function keptAlphaBars(betas: Float64Array, steps: number): number[] {
  const all = alphaBars(betas);
  return [...keptTimesteps(betas.length, steps).map((t) => all[t]), 1];
}

/** Algorithm 2 of DDPM as printed: alpha_t is the ratio of abar of adjacent kept steps. */
async function algorithm2(x: Tensor, abars: readonly number[], variance: DdpmVariance): Promise<Tensor> {
  for (let i = 0; i + 1 < abars.length; i++) {
    const [abar, abarPrevious] = [abars[i], abars[i + 1]];
    const alpha = abar / abarPrevious;
    const beta = 1 - alpha;
    const eps = await epsAt(x, abar);
    const mean = scale(1 / Math.sqrt(alpha), axpy(-(1 - alpha) / Math.sqrt(1 - abar), eps, x));
    const sd = Math.sqrt(variance === "large" ? beta : ((1 - abarPrevious) / (1 - abar)) * beta);
    x = abarPrevious === 1 ? mean : axpy(sd, noise(i, x.shape, { from: 1, to: 0 }), mean);
  }
  return x;
}

test.each([
  ["linear, every step", linearBetas({ count: 40 }), 40],
  ["linear, 25 of 1000", linearBetas(), 25],
  ["scaled-linear, 16 of 1000", scaledLinearBetas(), 16],
  ["cosine, 50 of 1000", cosineBetas(), 50],
] as const)("ddpm in sigma is Algorithm 2 in alpha, both variances: %s", async (_name, betas, steps) => {
  const abars = keptAlphaBars(betas, steps);
  const sigmas = fromBetas(betas, { steps });
  for (const variance of ["large", "small"] as const) {
    const want = await algorithm2(z, abars, variance); // starts from sqrt(abar) x, here z
    const got = await last(
      ddpm(mixture.denoise, scale(1 / Math.sqrt(abars[0]), z), sigmas, { variance, noise }),
    );
    expect(got).toBeAllClose(want, { abs: 1e-9 });
  }
});

test.each([0, 0.3, 1])("ddim in sigma is Eq. 12 of its paper in alpha: eta %f", async (eta) => {
  const abars = keptAlphaBars(linearBetas(), 20);
  let x = z;
  for (let i = 0; i + 1 < abars.length; i++) {
    const [abar, abarPrevious] = [abars[i], abars[i + 1]];
    const eps = await epsAt(x, abar);
    const x0 = scale(1 / Math.sqrt(abar), axpy(-Math.sqrt(1 - abar), eps, x));
    const sd = eta * Math.sqrt((1 - abarPrevious) / (1 - abar)) * Math.sqrt(1 - abar / abarPrevious);
    x = axpby(Math.sqrt(abarPrevious), x0, Math.sqrt(1 - abarPrevious - sd * sd), eps);
    if (sd > 0) x = axpy(sd, noise(i, x.shape, { from: 1, to: 0 }), x);
  }
  const start = scale(1 / Math.sqrt(abars[0]), z);
  expect(
    await last(ddim(mixture.denoise, start, fromBetas(linearBetas(), { steps: 20 }), { eta, noise })),
  ).toBeAllClose(x, { abs: 1e-9 });
});

test("ddim with eta 0 is Euler in sigma, on any grid", async () => {
  for (const sigmas of [fromBetas(cosineBetas(), { steps: 12 }), exponential({ steps: 12 })]) {
    const x = scale(sigmas[0], z);
    const want = await last(euler(mixture.denoise, x, sigmas));
    expect(await last(ddim(mixture.denoise, x, sigmas))).toBeAllClose(want, { abs: 1e-12 });
  }
});

test("the small variance, ddim with eta 1 and the ancestral Euler method are the same process", async () => {
  const sigmas = exponential({ steps: 12, max: 20 });
  const x = scale(20, z);
  const want = await last(ddpm(mixture.denoise, x, sigmas, { variance: "small", noise }));
  expect(await last(ddim(mixture.denoise, x, sigmas, { eta: 1, noise }))).toBeAllClose(want, { abs: 1e-11 });
  expect(await last(eulerAncestral(mixture.denoise, x, sigmas, { noise }))).toBeAllClose(want, {
    abs: 1e-11,
  });
});

test("one reverse step with its variance is exact: large for data of unit variance, small for a point", async () => {
  // x at sigma has variance v + sigma^2; after an exact step it must have v + next^2, for v = 1 and v = 0.
  const [sigma, next] = [1.3, 0.4];
  for (const [variance, std] of [
    ["large", 1],
    ["small", 0],
  ] as const) {
    const data = gaussian({ mean: 0, std });
    const x = tensor(Float64Array.of(Math.hypot(std, sigma), 0), [2, 1]);
    const unit: Noise = () => tensor(Float64Array.of(0, 1), [2, 1]);
    const after = await last(ddpm(data.denoise, x, [sigma, next], { variance, noise: unit }));
    expect(after.data[0] ** 2 + after.data[1] ** 2).toBeAllClose(std ** 2 + next ** 2, { rel: 1e-14 });
  }
});

test.each([
  // a, b, w, variance of the samples
  [1, 2, 1, 1],
  [1, 2, 1.5, 0.75],
  [1, 2, 2, 0.583333],
  [1, 2, 3, 0.3875],
  [0.25, 1.25, 2, 0.103333],
  [0.25, 1.25, 3, 0.06248],
] as const)(
  "extrapolated between N(0, %f) and N(0, %f) with w = %f, ddpm's samples have variance %f",
  async (a, b, w, want) => {
    const [strong, weak] = [
      gaussian({ mean: 0, std: Math.sqrt(a) }),
      gaussian({ mean: 0, std: Math.sqrt(b) }),
    ];
    const guided: Evaluate = async (x, sigma) =>
      axpby(w, await strong.denoise(x, sigma), 1 - w, await weak.denoise(x, sigma));
    // The samples are linear in the noises: their variance is the sum of the squared responses to unit noises.
    const variance = async (steps: number) => {
      const unit: Noise = (index, shape) => {
        const out = tensor(new Float64Array(steps + 1), shape);
        out.data[index + 1] = 1;
        return out;
      };
      const x = tensor(new Float64Array(steps + 1), [steps + 1, 1]);
      x.data[0] = 80;
      const responses = (await last(ddpm(guided, x, exponential({ steps, min: 1e-3 }), { noise: unit })))
        .data;
      return Array.from(responses).reduce((sum, value) => sum + value * value, 0);
    };
    const [coarse, fine] = [await variance(200), await variance(400)];
    expect(2 * fine - coarse).toBeAllClose(want, { rel: 2e-3 }); // extrapolated to infinitely many steps; measured 9e-4
  },
);
