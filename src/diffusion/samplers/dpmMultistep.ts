import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, scale, sub } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import type { At, DpmAlgorithm, DpmSolverType, StepWeights } from "./dpmUpdate.ts";
import { smoothPart, stepWeights } from "./dpmUpdate.ts";
import { addNoise } from "./sampler.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface DpmMultistepOptions extends SamplerOptions {
  /** Predictions that a step uses, 1 to 3. Default 2, the authors' choice for guided sampling. */
  readonly order?: number;
  /** Default "dpmsolver++". */
  readonly algorithm?: DpmAlgorithm;
  /** How a step of two predictions uses their slope. Default "midpoint". */
  readonly solver?: DpmSolverType;
  /** Whether runs of fewer than 15 steps end with steps of 2 and 1 predictions. Default true. */
  readonly lowerOrderFinal?: boolean;
  /** Whether the last step uses one prediction, however many steps there are. Default false. */
  readonly eulerAtFinal?: boolean;
  /** The weight of the bend in a step of three predictions, see `DpmBend`. Default "exact". */
  readonly bend?: DpmBend;
  /** Share of noise of the sde algorithms: 0 none, 1 the reverse SDE. Default 1. */
  readonly eta?: number;
  /** Standard deviation of the added noise. Default 1. */
  readonly noiseScale?: number;
}

/**
 * The weight of the bend b (the prediction is m + a u + b u^2 over the step) in the third order:
 *   exact:      the integral of u^2: order 3
 *   published:  half of it, as in the authors' code and k-diffusion's 3M SDE: order 2
 *   diffusers:  published, but 1 less in sde-dpmsolver++ (a sign): order 1
 */
export type DpmBend = "exact" | "published" | "diffusers";

/** Runs of fewer steps end at lower order where lowerOrderFinal is set. */
const FEW_STEPS = 15;

/**
 * DPM-Solver and DPM-Solver++ in several steps: the last predictions give a polynomial in lambda = -ln sigma that is integrated over the next
 * step with the linear part of the equation solved exactly. With m0, m1, m2 the predictions (newest first) and r0, r1 the lengths of their
 * steps in units of this one,
 *   a0 = (m0 - m1)/r0,  a1 = (m1 - m2)/r1,  b = (a0 - a1)/(r0 + r1)
 *   order 1:            x' = keep x + constant m0 + deviation noise
 *   order 2, midpoint:  ... + constant/2 a0        heun:  ... + linear a0
 *   order 3:            ... + linear (a0 + r0 b) + quadratic b
 * with the weights of `stepWeights`. Its first steps have fewer predictions. A step to 0 ends at D, in every algorithm.
 *
 * Order 2 by default. Cost: 1 evaluation a step. The sde algorithms draw options.noise on every step that does not end at 0. The last noise
 * level may be repeated, as in some tables: the sample then stays where it is.
 * Source: Lu et al. 2022 (arXiv:2206.00927, arXiv:2211.01095); third order and the rules for the last steps as in the authors' code.
 */
export async function* dpmMultistep(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  {
    order = 2,
    algorithm = "dpmsolver++",
    solver = "midpoint",
    lowerOrderFinal = true,
    eulerAtFinal = false,
    bend = "exact",
    eta = 1,
    noiseScale = 1,
    noise,
  }: DpmMultistepOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  const steps = sigmas.length - 1;
  const isShort = lowerOrderFinal && steps < FEW_STEPS;
  /** The last predictions, newest first. */
  let past: readonly At[] = [];
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    if (next === 0) return axpby(0, x, 1, denoised);
    if (next === sigma) return x;

    past = [smoothPart(algorithm, x, denoised, sigma), ...past].slice(0, order);
    const remaining = steps - index;
    const highest = remaining === 1 && (isShort || eulerAtFinal) ? 1 : remaining === 2 && isShort ? 2 : order;
    const weights = stepWeights(algorithm, sigma, next, eta);
    x = advance(x, past.slice(0, highest), weights, solver, bendWeight(algorithm, weights, bend));
    x = addNoise(x, weights.deviation * noiseScale, index, noise, { from: sigma, to: next });
  }
  return x;
}

/** One step without its noise, from one to three predictions. */
function advance(
  x: Tensor,
  [m0, m1, m2]: readonly (At | undefined)[],
  { h, keep, constant, linear }: StepWeights,
  solver: DpmSolverType,
  quadratic: number,
): Tensor {
  x = axpby(keep, x, constant, m0!.m);
  if (m1 === undefined) return x;
  const r0 = (m0!.lambda - m1.lambda) / h;
  const a0 = scale(1 / r0, sub(m0!.m, m1.m));
  if (m2 === undefined) return axpy(solver === "midpoint" ? constant / 2 : linear, a0, x);
  const r1 = (m1.lambda - m2.lambda) / h;
  const b = scale(1 / (r0 + r1), sub(a0, scale(1 / r1, sub(m1.m, m2.m))));
  return axpy(linear * r0 + quadratic, b, axpy(linear, a0, x));
}

function bendWeight(algorithm: DpmAlgorithm, { quadratic }: StepWeights, bend: DpmBend): number {
  switch (bend) {
    case "exact":
      return quadratic;
    case "published":
      return quadratic / 2;
    case "diffusers":
      return quadratic / 2 - (algorithm === "sde-dpmsolver++" ? 1 : 0);
  }
}
