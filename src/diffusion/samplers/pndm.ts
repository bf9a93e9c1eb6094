import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import { variancePreserving } from "../parameterisation.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import { extrapolated } from "./adamsBashforth.ts";
import { slope } from "./sampler.ts";
import type { Step } from "./sampler.ts";
import { takenFor } from "./timesteps.ts";
import type { TimestepOptions } from "./timesteps.ts";

export interface PndmOptions extends TimestepOptions {
  /**
   * How the first steps are made. "runge-kutta": three steps of the pseudo Runge-Kutta method, 4 evaluations each. "heun": one step
   * with the mean of the noises predicted at its two ends, 2 evaluations (known as PLMS). Default "runge-kutta".
   */
  readonly start?: "runge-kutta" | "heun";
  /**
   * What is extrapolated. "eps": the predicted noise. "v": v, from which the noise is made with the x and sigma of the step's beginning, as
   * diffusers does for networks that predict v; this lowers the order to 1. Default "eps".
   */
  readonly space?: "eps" | "v";
}

/** Steps that the Runge-Kutta start makes. */
const STARTS = 3;

/**
 * PNDM: the predicted noise is extrapolated by Adams-Bashforth's coefficients of equal steps, and a step is taken along the path on which
 * that noise stays. In sigma this transfer is exactly
 *   x' = x + (sigma' - sigma) eps',   eps' = (55 eps - 59 eps_1 + 37 eps_2 - 9 eps_3) / 24, newest first.
 * A step of the Runge-Kutta start uses eps' = (e1 + 2 e2 + 2 e3 + e4)/6, with e2 and e3 at the middle of the step: sqrt(sigma sigma'),
 * or the middle in timesteps where `timesteps` is given. Order 2 whatever the grid; 4 where the sigmas are equally spaced.
 *
 * Cost: 1 evaluation a step and 9 more at the start (1 more with "heun"). Its last step, to 0, does not end at the last prediction.
 * Source: Liu et al. 2022 (arXiv:2202.09778), Eq. 11-13 and Algorithm 2.
 */
export async function* pndm(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { start = "runge-kutta", space = "eps", timesteps }: PndmOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  const { outputOf, transfer } = SPACES[space];
  const sigmaAt = (step: number, offset: number): number | undefined =>
    timesteps?.sigmaOf(timesteps.values[step] + offset);
  const { stride = 0 } = timesteps ?? {};
  let outputs: readonly Tensor[] = [];

  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    const output = outputOf(x, denoised, sigma);
    outputs = [output, ...outputs].slice(0, 4);
    const outputAt = async (at: Tensor, level: number): Promise<Tensor> =>
      outputOf(at, await denoise(at, level, index), level);

    const end = sigmaAt(index, -stride) ?? next;
    if (next > 0 && start === "runge-kutta" && index < STARTS) {
      const half = Math.floor(stride / 2);
      const middle = sigmaAt(index + 1, half) ?? Math.sqrt(sigma * next);
      const first = sigmaAt(index, -half) ?? middle;
      const o2 = await outputAt(takenFor(transfer(x, output, sigma, first), first, middle), middle);
      const o3 = await outputAt(transfer(x, o2, sigma, middle), middle);
      const o4 = await outputAt(transfer(x, o3, sigma, next), next);
      x = transfer(x, axpby(1 / 6, axpy(1, output, o4), 1 / 3, axpy(1, o2, o3)), sigma, next);
    } else if (next > 0 && index === 0 && timesteps?.values.length !== 1) {
      const predicted = takenFor(transfer(x, output, sigma, end), end, next);
      const mean = axpby(1 / 2, output, 1 / 2, await outputAt(predicted, next));
      const from = sigmaAt(1, stride) ?? sigma;
      x = transfer(takenFor(x, sigma, from), mean, from, next);
    } else {
      x = takenFor(transfer(x, extrapolated(outputs), sigma, end), end, next);
    }
  }
  return x;
}

/** What is extrapolated, and the step along the path on which the noise that it means at x stays. */
interface Space {
  outputOf(x: Tensor, denoised: Tensor, sigma: number): Tensor;
  transfer(x: Tensor, output: Tensor, from: number, to: number): Tensor;
}

const SPACES: Readonly<Record<"eps" | "v", Space>> = {
  eps: {
    outputOf: slope,
    transfer: (x, eps, from, to) => axpy(to - from, eps, x),
  },
  // v = alpha eps - s x0 and eps = alpha v + s alpha x, with alpha and s of the variance-preserving form.
  v: {
    outputOf(x, denoised, sigma) {
      const level = variancePreserving(sigma);
      return axpby(level.alpha / sigma, x, -level.alpha / sigma - level.sigma, denoised);
    },
    transfer(x, v, from, to) {
      const level = variancePreserving(from);
      const length = to - from;
      return axpby(1 + length * level.sigma * level.alpha, x, length * level.alpha, v);
    },
  },
};
