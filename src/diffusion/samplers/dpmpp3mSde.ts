import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, scale, sub } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { type SdeOptions, sdeDeviation } from "./dpmpp2mSde.ts";
import { addNoise } from "./sampler.ts";
import type { Step } from "./sampler.ts";

/**
 * SDE-DPM-Solver++(3M): three-step method on the reverse SDE. Order 2 in the law of a Gaussian. With H = (1 + eta) ln(sigma/sigma'),
 * phi2 = (e^-H - 1)/H + 1, phi3 = phi2/H - 1/2, and divided differences a, b of the last three D over r0 = h1/h, r1 = h2/h,
 *   x' = e^-H x + (1 - e^-H) D + phi2 (a + (a - b) r0/(r0 + r1)) - phi3 (a - b)/(r0 + r1) + noise.
 * The second step has two D: + phi2 (D - D1)/r0.
 *
 * Cost: 1 evaluation a step. Draws options.noise on every step that does not end at 0.
 * Source: the third order of Lu et al. 2022 (arXiv:2211.01095) on the SDE, as in k-diffusion.
 */
export async function* dpmpp3mSde(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { eta = 1, noiseScale = 1, noise }: SdeOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  /** Earlier predictions and the lengths of their steps, newest first. */
  let past: readonly { readonly denoised: Tensor; readonly h: number }[] = [];
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    if (next === 0) return axpby(0, x, 1, denoised);

    const h = Math.log(sigma / next);
    const H = (1 + eta) * h;
    x = axpby(Math.exp(-H), x, -Math.expm1(-H), denoised);
    const phi2 = Math.expm1(-H) / H + 1;
    if (past.length === 1) {
      x = axpy((phi2 * h) / past[0].h, sub(denoised, past[0].denoised), x);
    } else if (past.length === 2) {
      const [r0, r1] = past.map((one) => one.h / h);
      const a = scale(1 / r0, sub(denoised, past[0].denoised));
      const b = scale(1 / r1, sub(past[0].denoised, past[1].denoised));
      const bend = scale(1 / (r0 + r1), sub(a, b));
      const phi3 = phi2 / H - 0.5;
      x = axpy(phi2, a, x);
      x = axpy(phi2 * r0 - phi3, bend, x);
    }
    x = addNoise(x, sdeDeviation(next, eta, h) * noiseScale, index, noise, { from: sigma, to: next });
    past = [{ denoised, h }, ...past].slice(0, 2);
  }
  return x;
}
