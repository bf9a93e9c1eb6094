import { UsageError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { checkSigmas } from "../sigmas.ts";
import { ends } from "./dpmFast.ts";
import { dpmSolverStep, epsOf } from "./dpmSolver.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface DpmAdaptiveOptions extends SamplerOptions {
  /** Order of the method whose step is taken, 2 or 3; the error is measured by the one below. Default 3. */
  readonly order?: number;
  /** Relative tolerance. Default 0.05. */
  readonly rtol?: number;
  /** Absolute tolerance. Default 0.0078. */
  readonly atol?: number;
  /** First step, in ln sigma. Default 0.05. */
  readonly firstStep?: number;
}

/** Steps below this factor are tried again. */
const ACCEPT = 0.81;

/** A step that would have to be shorter, in ln sigma, is not found: at 1e-4 the orders differ by rounding alone. */
const SHORTEST = 1e-4;

/**
 * DPM-Solver-12 or -23 with adaptive steps: a step is as long as two orders agree. Of the grid it takes the first noise level and the
 * last one above 0, where it ends.
 *
 *   error = |(low - high)/max(atol, rtol max(|low|, |last low|))| / sqrt(elements), over the whole batch
 *   factor = 1 + atan((1/error)^(1/order) - 1);  accepted from 0.81 on;  h <- factor h
 *
 * The error is that of the batch, so a sample does depend on the others. Cost: `order` evaluations a try, the first of them shared
 * by both orders. Throws UsageError where predictions are no numbers, or the tolerances ask for steps below 1e-4. Source: Lu et al. 2022 (arXiv:2206.00927), appendix C; the controller is k-diffusion's.
 */
export async function* dpmAdaptive(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { order = 3, rtol = 0.05, atol = 0.0078, firstStep = 0.05 }: DpmAdaptiveOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  checkSigmas(sigmas);
  const [start, end] = ends(sigmas).map((sigma) => -Math.log(sigma));
  let lastLow = x;
  let h = firstStep;
  let s = start;
  for (let index = 0; s < end - 1e-5;) {
    const sigma = Math.exp(-s);
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next: Math.exp(-Math.min(end, s + h)), x, denoised };
    const e = axpby(1 / sigma, x, -1 / sigma, denoised);
    const eps = epsOf(denoise, index);

    // Shorter and shorter, until the two orders agree.
    for (let accepted = false; !accepted;) {
      const to = Math.min(end, s + h);
      const low = await dpmSolverStep(eps, x, e, [s, to], order - 1, { r1: 1 / 3 });
      const high = await dpmSolverStep(eps, x, e, [s, to], order, {
        r1: order === 2 ? 1 / 2 : 1 / 3,
        e1: order === 3 ? low.e1 : undefined,
      });
      const error = distance(low.x, high.x, lastLow, atol, rtol);
      const factor = 1 + Math.atan((1 / (error + 1e-8)) ** (1 / order) - 1);
      accepted = factor >= ACCEPT;
      if (Number.isNaN(error) || (!accepted && h * factor < SHORTEST)) throw noStep(sigma, error, rtol, atol);
      if (accepted) {
        x = high.x;
        lastLow = low.x;
        s = to;
        index++;
      }
      h *= factor;
    }
  }
  return x;
}

function noStep(sigma: number, error: number, rtol: number, atol: number): UsageError {
  return new UsageError(
    Number.isNaN(error) && (rtol > 0 || atol > 0)
      ? `dpm-adaptive got what is no number at sigma ${sigma}: guide less, or take another sampler`
      : `dpm-adaptive finds no step for rtol ${rtol} and atol ${atol} at sigma ${sigma}: raise them, or take another sampler`,
  );
}

/** Root mean square of (low - high)/max(atol, rtol max(|low|, |last|)). */
function distance(low: Tensor, high: Tensor, last: Tensor, atol: number, rtol: number): number {
  let sum = 0;
  for (let i = 0; i < low.data.length; i++) {
    const size = Math.max(atol, rtol * Math.max(Math.abs(low.data[i]), Math.abs(last.data[i])));
    sum += ((low.data[i] - high.data[i]) / size) ** 2;
  }
  return Math.sqrt(sum / low.data.length);
}
