/** pndm, ipndm, lcm and tcd against the formulas of their papers, in alpha, with timesteps. */
import { describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, scale } from "../../base/tensor.ts";
import { alphaBars, scaledLinearBetas } from "../betas.ts";
import { last } from "../last.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { ipndm } from "./ipndm.ts";
import { lcm } from "./lcm.ts";
import { pndm } from "./pndm.ts";
import type { Noise } from "./sampler.ts";
import { tcd } from "./tcd.ts";

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

const table = alphaBars(scaledLinearBetas());
const abar = (t: number): number => (t < 0 ? 1 : table[t]);
const sigmaOf = (t: number): number => Math.sqrt((1 - abar(t)) / abar(t));
const x0At = (y: Tensor, t: number): Tensor => mixture.denoised(scale(1 / Math.sqrt(abar(t)), y), sigmaOf(t));
const epsAt = (y: Tensor, t: number): Tensor =>
  axpby(1 / Math.sqrt(1 - abar(t)), y, -Math.sqrt(abar(t) / (1 - abar(t))), x0At(y, t));

/** Eq. 11 of the PNDM paper: from timestep t to s along the path of the noise e. */
function phi(y: Tensor, e: Tensor, t: number, s: number): Tensor {
  const [at, as] = [abar(t), abar(s)];
  const root = Math.sqrt(at) * (Math.sqrt((1 - as) * at) + Math.sqrt((1 - at) * as));
  return axpby(Math.sqrt(as / at), y, -(as - at) / root, e);
}

/** Eq. 12: the noise extrapolated from the last four, newest first. */
const multistep = ([e, e1, e2, e3]: readonly Tensor[]): Tensor =>
  axpby(55 / 24, e, 1, axpby(-59 / 24, e1, 1, axpby(37 / 24, e2, -9 / 24, e3)));

describe("with timesteps 200 apart", () => {
  const values = [999, 799, 599, 399, 199];
  const stride = 200;
  const start = scale(1 / Math.sqrt(abar(999)), z);
  const grid = [...values.map(sigmaOf), 0];

  test("pndm is Algorithm 2: three Runge-Kutta steps, then the multistep method", async () => {
    let y = z;
    const seen: Tensor[] = [];
    for (const [i, t] of values.entries()) {
      const s = t - stride;
      const e1 = epsAt(y, t);
      seen.unshift(e1);
      if (i >= 3) {
        y = phi(y, multistep(seen), t, s);
        continue;
      }
      const middle = t - stride / 2;
      const e2 = epsAt(phi(y, e1, t, middle), middle);
      const e3 = epsAt(phi(y, e2, t, middle), middle);
      const e4 = epsAt(phi(y, e3, t, s), s);
      y = phi(y, scale(1 / 6, axpy(2, e2, axpy(2, e3, axpy(1, e1, e4)))), t, s);
    }
    const got = await last(pndm(mixture.denoise, start, grid, { timesteps: { values, stride, sigmaOf } }));
    expect(got).toBeAllClose(y, { abs: 1e-10 });
  });

  test("ipndm transfers by the same rule, from lower orders on", async () => {
    const orders = [
      ([e]: readonly Tensor[]) => e,
      ([e, e1]: readonly Tensor[]) => axpby(3 / 2, e, -1 / 2, e1),
      ([e, e1, e2]: readonly Tensor[]) => axpby(23 / 12, e, 1, axpby(-16 / 12, e1, 5 / 12, e2)),
      multistep,
    ];
    let y = z;
    const seen: Tensor[] = [];
    for (const [i, t] of values.entries()) {
      seen.unshift(epsAt(y, t));
      y = phi(y, orders[Math.min(i, 3)](seen), t, t - stride);
    }
    expect(await last(ipndm(mixture.denoise, start, grid))).toBeAllClose(y, { abs: 1e-10 });
  });

  test("lcm is sqrt(abar') D + sqrt(1 - abar') noise", async () => {
    let y = z;
    for (const [i, t] of values.entries()) {
      const s = t - stride;
      y = scale(Math.sqrt(abar(s)), x0At(y, t));
      if (s >= 0) y = axpy(Math.sqrt(1 - abar(s)), noise(i, y.shape, { from: 1, to: 1 }), y);
    }
    expect(await last(lcm(mixture.denoise, start, grid, { noise }))).toBeAllClose(y, { abs: 1e-12 });
  });

  test.each([0, 0.25, 0.5, 1])(
    "tcd goes to timestep (1 - eta) t' and is noised up to t': eta %d",
    async (eta) => {
      let y = z;
      for (const [i, t] of values.entries()) {
        const to = values[i + 1] ?? 0;
        const s = Math.floor((1 - eta) * to);
        y = axpby(Math.sqrt(abar(s)), x0At(y, t), Math.sqrt(1 - abar(s)), epsAt(y, t));
        if (i + 1 < values.length) {
          const kept = abar(to) / abar(s);
          y = axpby(Math.sqrt(kept), y, Math.sqrt(1 - kept), noise(i, y.shape, { from: 1, to: 1 }));
        }
      }
      const levels = [...values.map(sigmaOf), sigmaOf(0)];
      const got = await last(
        tcd(mixture.denoise, start, levels, { eta, noise, timesteps: { values, stride, sigmaOf } }),
      );
      expect(scale(Math.sqrt(abar(0)), got)).toBeAllClose(y, { abs: 1e-11 });
    },
  );
});
