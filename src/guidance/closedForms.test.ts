import { describe, expect, test } from "vitest";
import type { Tensor } from "../base/tensor.ts";
import { tensor } from "../base/tensor.ts";
import type { Denoiser, Evaluate } from "../diffusion/denoiser.ts";
import { last } from "../diffusion/last.ts";
import { gaussian } from "../diffusion/oracles/gaussian.ts";
import type { Parameterisation } from "../diffusion/parameterisation.ts";
import {
  fromX0,
  straightPath,
  toX0,
  varianceExploding,
  variancePreserving,
} from "../diffusion/parameterisation.ts";
import { heun } from "../diffusion/samplers/heun.ts";
import { karras } from "../diffusion/sigmas.ts";
import { extrapolate } from "./combine/extrapolate.ts";
import { compose } from "./guidance.ts";
import { guide } from "./guide.ts";
import { autoguidance } from "./weak/weakerNetwork.ts";
import { cfg } from "./weak/condition.ts";

// Two Gaussians, strong N(m, a) and weak N(m', b), guided along the probability-flow ODE: linear in x, so that two
// starting points tell its slope and its offset.

const column = (...values: number[]): Tensor => tensor(Float64Array.from(values), [values.length, 1]);
const normal = (mean: number, variance: number) => gaussian({ mean, std: Math.sqrt(variance) });

/** A network that predicts for one law, whatever the condition. */
function network(law: ReturnType<typeof gaussian>): Denoiser {
  return {
    shape: [1],
    denoise: (x, sigma, branches) => Promise.resolve(branches.map(() => law.denoised(x, sigma))),
  };
}

const condition = [0, 0];

function guidedByCfg(
  strong: ReturnType<typeof gaussian>,
  weak: ReturnType<typeof gaussian>,
  weight: number,
): Evaluate {
  const term = cfg({ weight, unconditional: network(weak) });
  return guide(network(strong), condition, compose([term])).evaluate;
}

describe.each([
  { a: 1, b: 2, w: 1, mean: 1, variance: 1 },
  { a: 1, b: 2, w: 1.5, mean: 1.3493, variance: 0.707107 },
  { a: 1, b: 2, w: 2, mean: 1.6232, variance: 0.5 },
  { a: 1, b: 2, w: 3, mean: 2, variance: 0.25 },
  { a: 1, b: 2, w: 5, mean: 2.3333, variance: 0.0625 },
  { a: 0.25, b: 1.25, w: 1.5, mean: 1.2099, variance: 0.111803 },
  { a: 0.25, b: 1.25, w: 2, mean: 1.3228, variance: 0.05 },
  { a: 0.25, b: 1.25, w: 3, mean: 1.4, variance: 0.01 },
  { a: 0.25, b: 1.25, w: 5, mean: 1.3733, variance: 0.0004 },
])("CFG of weight $w between N(1, $a) and N(0, $b)", ({ a, b, w, mean, variance }) => {
  test(`ends with mean ${mean} and variance a^w * b^(1-w) = ${variance}`, async () => {
    const max = 1e4;
    const run = heun(
      guidedByCfg(normal(1, a), normal(0, b), w),
      column(0, max),
      karras({ steps: 2000, max, min: 0.001 }),
    );
    const [offset, end] = (await last(run)).data;
    expect(offset).toBeAllClose(mean, { abs: 2e-4 }); // What sigma = 1e4 leaves of the limit is about 1e-4.
    expect((end - offset) ** 2).toBeAllClose(variance, { abs: 5e-7, rel: 1e-3 });
    expect(variance).toBeAllClose(a ** w * b ** (1 - w), { abs: 5e-7 });
  });
});

test("CFG between equal spreads is exactly the Gaussian of mean m_weak + w*(m_strong - m_weak) and the same spread", async () => {
  const x = column(-80, 120);
  for (const weight of [-1, 0, 0.5, 1, 2, 4]) {
    const guided = guidedByCfg(normal(1, 0.25), normal(-1, 0.25), weight);
    const exact = normal(-1 + 2 * weight, 0.25);
    for (const sigma of [80, 1, 0.01]) {
      expect(await guided(x, sigma)).toBeAllClose(exact.denoised(x, sigma), { abs: 1e-12, rel: 1e-12 });
    }
    const end = await last(heun(guided, x, karras({ steps: 128 })));
    expect(end).toBeAllClose(exact.path(x, 80, 0), { abs: 1e-3, rel: 1e-3 }); // Heun's error at 128 steps, 5e-4.
  }
});

test("autoguidance of equal means carries x to x*(a^2/(a^2+s^2))^(w/2) * ((b^2+s^2)/b^2)^((w-1)/2)", async () => {
  const [a, b, sigma] = [0.5, 0.8, 80];
  const x = column(-80, 40);
  for (const weight of [0, 1, 1.7, 3]) {
    const term = autoguidance({ weight, guide: network(gaussian({ mean: 0, std: b })) });
    const guided = guide(network(gaussian({ mean: 0, std: a })), condition, compose([term]));
    const end = await last(heun(guided.evaluate, x, karras({ steps: 256, max: sigma })));
    const shrink = (a ** 2 / (a ** 2 + sigma ** 2)) ** (weight / 2);
    const grow = ((b ** 2 + sigma ** 2) / b ** 2) ** ((weight - 1) / 2);
    expect(end).toBeAllClose(
      [...x.data].map((value) => value * shrink * grow),
      { rel: 1e-3 },
    );
  }
});

describe("linear guidance commutes with every change of parameterisation", () => {
  const kinds: readonly Parameterisation[] = ["eps", "x0", "v", "score", "velocity"];
  test.each(kinds)("%s", (kind) => {
    const x = column(1.3, -0.4);
    const [strong, weak, other] = [column(0.9, -0.2), column(0.3, 0.1), column(-2, 1)];
    const weaks = [
      { weight: 3, denoised: weak },
      { weight: 0.5, denoised: other },
    ];
    for (const level of [varianceExploding(0.7), variancePreserving(0.7), straightPath(0.7)]) {
      for (const some of [weaks.slice(0, 1), weaks]) {
        const converted = some.map(({ weight, denoised }) => ({
          weight,
          denoised: fromX0(kind, denoised, x, level),
        }));
        const guided = extrapolate(fromX0(kind, strong, x, level), converted);
        expect(toX0(kind, guided, x, level)).toBeAllClose(extrapolate(strong, some), { abs: 1e-13 });
      }
    }
  });
});
