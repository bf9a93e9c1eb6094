import { expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../../diffusion/denoiser.ts";
import { last } from "../../diffusion/last.ts";
import { gaussian } from "../../diffusion/oracles/gaussian.ts";
import { euler } from "../../diffusion/samplers/euler.ts";
import { karras } from "../../diffusion/sigmas.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { compose } from "../guidance.ts";
import { guide } from "../guide.ts";
import { cfg } from "../weak/condition.ts";
import { cfgPlusPlus } from "./cfgPlusPlus.ts";
import { extrapolate } from "./extrapolate.ts";

const [strong, weak] = [gaussian({ mean: 1, std: 0.5 }), gaussian({ mean: -1, std: 0.8 })];
const denoiser: Denoiser = {
  shape: [1],
  denoise: async (x, sigma, branches) =>
    branches.map(({ condition }) => (condition === null ? weak : strong).denoised(x, sigma)),
};
const x = tensor(Float64Array.of(-7, 0.5, 12), [3, 1]);
const sigmas = karras({ steps: 9, min: 0.01, max: 10 });

function plusPlus(lambda: number): Evaluate {
  const term = { ...cfg<readonly number[]>({ weight: lambda }), combine: cfgPlusPlus() };
  return guide(denoiser, [0, 0, 0], compose([term])).evaluate;
}

test("on Euler it is CFG of weight lambda * sigma / (sigma - sigma'), step by step", async () => {
  for (const lambda of [0.2, 0.6, 1]) {
    const byWeight: Evaluate = async (at, sigma, step) => {
      const weight = (lambda * sigma) / (sigma - sigmas[step! + 1]);
      return extrapolate(strong.denoised(at, sigma), [{ weight, denoised: weak.denoised(at, sigma) }]);
    };
    const got = await last(euler(plusPlus(lambda), x, sigmas));
    expect(got).toBeAllClose(await last(euler(byWeight, x, sigmas)), { abs: 1e-12 });
  }
});

test("lambda 0 is unconditional DDIM", async () => {
  const unconditional: Evaluate = async (at, sigma) => weak.denoised(at, sigma);
  const got = await last(euler(plusPlus(0), x, sigmas));
  expect(got).toBeAllClose(await last(euler(unconditional, x, sigmas)), { abs: 1e-13 });
});
