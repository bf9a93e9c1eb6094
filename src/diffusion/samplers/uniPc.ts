import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, sub } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import type { At } from "./dpmUpdate.ts";
import { smoothPart } from "./dpmUpdate.ts";
import { lagrangeCoefficients } from "./lagrange.ts";
import { phi } from "./phi.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

/** The free function B(h) of UniPC: h (bh1) or e^h - 1 (bh2). It acts where a step has too few predictions for its order. */
export type UniPcVariant = "bh1" | "bh2";

export interface UniPcOptions extends SamplerOptions {
  /** Predictions that the predictor uses, 1 or more; the corrector uses one more. Default 2. */
  readonly order?: number;
  /** Default "bh2". */
  readonly variant?: UniPcVariant;
  /** Whether x0 is taken to be smooth, or else eps. Default true. */
  readonly predictX0?: boolean;
  /** Whether the order falls to 1 over the last steps. Default true. */
  readonly lowerOrderFinal?: boolean;
  /** Steps whose result is not corrected, by number from 0. Default none. */
  readonly disableCorrector?: readonly number[];
}

/**
 * UniPC: predicts a step from the last q predictions, and when the next prediction is there, which costs nothing more, takes the step again
 * with it. With hh = -h (x0) or h (eps), m0 the newest prediction before the step, r_k the places of the others from there in units of h (1
 * for the one at its end) and D_k = (m_k - m0)/r_k,
 *   x' = base - s B(hh) sum_k rho_k D_k,      sum_k rho_k r_k^(i-1) = i! hh phi_{i+1}(hh)/B(hh),  i = 1, 2, ...
 *   base = (sigma'/sigma) x - (e^hh - 1) m0, s = 1 (x0)       base = x - sigma' (e^hh - 1) m0, s = sigma' (eps)
 * with rho = 1/2 where there is one D. The corrected x goes into the next step; its prediction is the one made before the correction. A step
 * to 0 ends at D.
 *
 * Order 3 by default: one above `order`. Cost: 1 evaluation a step. The last noise level may be repeated, as in some tables.
 * Source: Zhao et al. 2023 (arXiv:2302.04867), UniP and UniC in several steps; the order at the ends of a run as in the authors' code.
 */
export async function* uniPc(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  {
    order = 2,
    variant = "bh2",
    predictX0 = true,
    lowerOrderFinal = true,
    disableCorrector = [],
  }: UniPcOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  const steps = sigmas.length - 1;
  /** The last predictions, newest first. */
  let past: readonly At[] = [];
  /** The step just taken: where it began and with how many predictions. */
  let before: { readonly x: Tensor; readonly sigma: number; readonly used: number } | undefined;
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    const newest = smoothPart(predictX0 ? "dpmsolver++" : "dpmsolver", x, denoised, sigma);

    // Corrector, over the step just taken.
    if (before !== undefined && !disableCorrector.includes(index - 1)) {
      const known = past.slice(0, before.used);
      x = uniStep(before.x, before.sigma, sigma, known, { variant, predictX0, newest });
    }
    if (next === 0) return axpby(0, x, 1, denoised);
    if (next === sigma) return x;

    // Predictor.
    past = [newest, ...past].slice(0, order);
    const used = Math.min(past.length, lowerOrderFinal ? steps - index : order);
    before = { x, sigma, used };
    x = uniStep(x, sigma, next, past.slice(0, used), { variant, predictX0 });
  }
  return x;
}

/** The step from sigma to next by the predictions `known`, newest first, and `newest`, the one at its end, where it is there. */
function uniStep(
  x: Tensor,
  sigma: number,
  next: number,
  [m0, ...others]: readonly At[],
  { variant, predictX0, newest }: { variant: UniPcVariant; predictX0: boolean; newest?: At },
): Tensor {
  const h = Math.log(sigma / next);
  const hh = predictX0 ? -h : h;
  const growth = Math.expm1(hh);
  const b = variant === "bh1" ? hh : growth;
  const s = predictX0 ? 1 : next;

  const points = newest ? [...others, newest] : others;
  const r = points.map(({ lambda }) => (lambda - m0.lambda) / h);
  const rho = r.length === 1 ? [0.5] : solve(r, hh).map((value) => value / b);

  let out = axpby(predictX0 ? next / sigma : 1, x, -s * growth, m0.m);
  points.forEach(({ m }, k) => (out = axpy((-s * b * rho[k]) / r[k], sub(m, m0.m), out)));
  return out;
}

/** c with sum_k c_k r_k^(i-1) = i! hh phi_{i+1}(hh) for i = 1, ..., as many as there are r. */
function solve(r: readonly number[], hh: number): number[] {
  let factorial = 1;
  const moments = r.map((_, i) => (factorial *= i + 1) * hh * phi(i + 2, hh));
  return r.map((_, k) => lagrangeCoefficients(r, k).reduce((sum, c, i) => sum + c * moments[i], 0));
}
