import { describe, expect, test } from "vitest";
import { axpby, scale, sub, tensor } from "../base/tensor.ts";
import type { Tensor } from "../base/tensor.ts";
import { linearBetas, timestepSigmas } from "./betas.ts";
import { fromX0, straightPath, variancePreserving } from "./parameterisation.ts";
import type { Preconditioning, PreconditioningSpec } from "./preconditioning.ts";
import { preconditioning } from "./preconditioning.ts";

const betas = { kind: "linear", count: 1000 } as const;
const x0 = tensor(Float64Array.of(0.3, -1.2, 0.7), [3]);
const noise = tensor(Float64Array.of(-0.9, 0.4, 2.1), [3]);
const SIGMAS = [0.02, 0.5, 3, 70];

/** D(x) for a network that answers `output`. */
function denoise(p: Preconditioning, x: Tensor, output: Tensor, sigma: number): Tensor {
  return axpby(p.cSkip(sigma), x, p.cOut(sigma), output);
}

describe("a network that answers perfectly gives x0", () => {
  const noisy = (sigma: number) => axpby(1, x0, sigma, noise);

  test.each(["eps", "v", "x0"] as const)("%s, told x in the variance-preserving form", (kind) => {
    const p = preconditioning({ kind, betas });
    for (const sigma of SIGMAS) {
      const level = variancePreserving(sigma);
      const inner = scale(p.cIn(sigma), noisy(sigma));
      expect(inner).toBeAllClose(axpby(level.alpha, x0, level.sigma, noise), { abs: 1e-14 });
      expect(denoise(p, noisy(sigma), fromX0(kind, x0, inner, level), sigma)).toBeAllClose(x0, {
        abs: 1e-12,
      });
    }
  });

  test("flow, told x on the straight path and its t", () => {
    const p = preconditioning({ kind: "flow", timeScale: 1000 });
    for (const sigma of SIGMAS) {
      const t = p.cNoise(sigma) / 1000;
      expect(t).toBeAllClose(straightPath(sigma).sigma, { rel: 1e-15 });
      expect(scale(p.cIn(sigma), noisy(sigma))).toBeAllClose(axpby(1 - t, x0, t, noise), { abs: 1e-13 });
      expect(denoise(p, noisy(sigma), sub(noise, x0), sigma)).toBeAllClose(x0, { abs: 1e-12 });
    }
  });
});

test("edm keeps the variance of the network's input and of its target at 1", () => {
  const sigmaData = 0.4;
  const p = preconditioning({ kind: "edm", sigmaData });
  for (const sigma of SIGMAS) {
    // Input: cIn^2 (sd^2 + s^2). Target (x0 - cSkip x) / cOut, x = x0 + s noise: ((1 - cSkip)^2 sd^2 + cSkip^2 s^2) / cOut^2.
    expect(p.cIn(sigma) ** 2 * (sigmaData ** 2 + sigma ** 2)).toBeAllClose(1, { rel: 1e-14 });
    const target = (1 - p.cSkip(sigma)) ** 2 * sigmaData ** 2 + p.cSkip(sigma) ** 2 * sigma ** 2;
    expect(target / p.cOut(sigma) ** 2).toBeAllClose(1, { rel: 1e-13 });
    expect(p.weight(sigma)).toBeAllClose((sigma ** 2 + sigmaData ** 2) / (sigma * sigmaData) ** 2, {
      rel: 1e-14,
    });
    expect(p.cNoise(sigma)).toBeAllClose(Math.log(sigma) / 4, { rel: 1e-15 });
  }
});

test("edm's cSkip makes the amplified error cOut as small as it can be", () => {
  const sigmaData = 0.5;
  const p = preconditioning({ kind: "edm", sigmaData });
  const cOutFor = (cSkip: number, sigma: number) => Math.hypot((1 - cSkip) * sigmaData, cSkip * sigma);
  for (const sigma of SIGMAS) {
    const best = p.cSkip(sigma);
    expect(p.cOut(sigma)).toBeAllClose(cOutFor(best, sigma), { rel: 1e-14 });
    for (const delta of [-1e-3, 1e-3]) expect(cOutFor(best + delta, sigma)).toBeGreaterThan(p.cOut(sigma));
  }
});

test("the weight makes the denoiser's loss the plain loss of the network", () => {
  const specs: readonly PreconditioningSpec[] = [
    { kind: "edm" },
    { kind: "eps", betas },
    { kind: "v", betas },
    { kind: "x0", betas },
    { kind: "flow" },
  ];
  for (const p of specs.map(preconditioning)) {
    for (const sigma of SIGMAS) {
      // D - D' = cOut (F - F').
      const error = denoise(p, x0, scale(2, noise), sigma).data[0] - denoise(p, x0, noise, sigma).data[0];
      expect(p.weight(sigma) * error ** 2).toBeAllClose(noise.data[0] ** 2, { rel: 1e-10 });
    }
  }
});

test("the timestep of a discrete network is exact on the table and fractional between", () => {
  const table = timestepSigmas(linearBetas());
  const p = preconditioning({ kind: "eps", betas });
  for (const t of [0, 10, 500, 999]) expect(p.cNoise(table[t])).toBeAllClose(t, { abs: 1e-11 });
  expect(p.cNoise(Math.sqrt(table[70] * table[71]))).toBeAllClose(70.5, { abs: 1e-10 });
});

test("a config survives JSON", () => {
  const spec: PreconditioningSpec = { kind: "eps", betas: { kind: "cosine", count: 100 } };
  const [a, b] = [spec, JSON.parse(JSON.stringify(spec)) as PreconditioningSpec].map(preconditioning);
  for (const sigma of SIGMAS) expect(b.cNoise(sigma)).toBe(a.cNoise(sigma));
});

test("unknown kinds and keys, a missing schedule and values out of range are refused by name", () => {
  expect(() => preconditioning({ kind: "ddpm" } as never)).toThrow(
    'no preconditioning is called "ddpm"; there are: edm, eps, v, x0, flow',
  );
  expect(() => preconditioning({ kind: "edm", sigma_data: 1 } as never)).toThrow(
    'preconditioning "edm" has no "sigma_data"; it has: sigmaData',
  );
  expect(() => preconditioning({ kind: "eps" } as never)).toThrow("needs its schedule");
  expect(() => preconditioning({ kind: "edm", sigmaData: 0 })).toThrow("sigmaData");
  expect(() => preconditioning({ kind: "flow", timeScale: -1 })).toThrow("timeScale");
});
