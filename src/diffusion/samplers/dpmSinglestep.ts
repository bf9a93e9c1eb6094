import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, scale, sub } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { pairs } from "../sigmas.ts";
import type { At, DpmAlgorithm, DpmSolverType, StepWeights } from "./dpmUpdate.ts";
import { smoothPart, stepWeights } from "./dpmUpdate.ts";
import { addNoise } from "./sampler.ts";
import type { SamplerOptions, Step } from "./sampler.ts";

export interface DpmSinglestepOptions extends SamplerOptions {
  /** Steps of the grid in a block, 1 to 3: the order. Default 2. */
  readonly order?: number;
  /** Default "dpmsolver++". */
  readonly algorithm?: DpmAlgorithm;
  /** How a block's predictions are used. Default "midpoint". */
  readonly solver?: DpmSolverType;
  /** Whether the blocks get smaller over the last steps. On by itself for a grid that ends at 0. Default true. */
  readonly lowerOrderFinal?: boolean;
  /** "diffusers" has a sign of its own in sde-dpmsolver++ of order 3 with heun: 2 less in the weight of the bend. Default "exact". */
  readonly bend?: "exact" | "diffusers";
  /** Share of noise of the sde algorithms: 0 none, 1 the reverse SDE. Default 1. */
  readonly eta?: number;
  /** Standard deviation of the added noise. Default 1. */
  readonly noiseScale?: number;
}

/**
 * DPM-Solver and DPM-Solver++ in single steps: the grid is cut into blocks of `order` steps, and a block is one step of a Runge-Kutta method
 * whose stages are the levels of the grid. Each of its steps starts again at the block's beginning (x, mb), with all of the block's
 * predictions. Over h, from the beginning to the step's end, with r0 the place of the newest prediction m0 and r1 that of the one before, m1,
 *   step 1:             x' = keep x + constant mb + deviation noise
 *   step 2:             ... + c a0,   a0 = (m0 - mb)/r0,   c = constant/2 (midpoint) or linear (heun)
 *   step 3, midpoint:   ... + linear a0
 *   step 3, heun:       ... + linear (a1 - r1 b) + quadratic b,   a1 = (m1 - mb)/r1,   b = (a0 - a1)/(r0 - r1)
 * with the weights of `stepWeights`. A step to 0 ends at D, in every algorithm.
 *
 * Order 2 by default. Cost: 1 evaluation a step of the grid. The sde algorithms draw options.noise on every step that does not end at 0. The
 * last noise level may be repeated, as in some tables.
 * Source: Lu et al. 2022 (arXiv:2206.00927), Algorithms 1 and 2; (arXiv:2211.01095), Algorithm 1; blocks on a given grid as in diffusers.
 */
export async function* dpmSinglestep(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  {
    order = 2,
    algorithm = "dpmsolver++",
    solver = "midpoint",
    lowerOrderFinal = true,
    bend = "exact",
    eta = 1,
    noiseScale = 1,
    noise,
  }: DpmSinglestepOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  const orders = blockOrders(sigmas.length - 1, order, lowerOrderFinal, sigmas[sigmas.length - 1] === 0);
  let block: Block = { x, sigma: sigmas[0], made: [] };
  for (const [index, sigma, next] of pairs(sigmas)) {
    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    if (next === 0) return axpby(0, x, 1, denoised);

    if (orders[index] === 1) block = { x, sigma, made: [] };
    block = { ...block, made: [...block.made, smoothPart(algorithm, x, denoised, sigma)] };
    const weights = stepWeights(algorithm, block.sigma, next, eta);
    const excess = bend === "diffusers" && algorithm === "sde-dpmsolver++" ? 2 : 0;
    x = advance(block, { ...weights, quadratic: weights.quadratic - excess }, solver);
    const span = { from: block.sigma, to: next };
    x = addNoise(x, weights.deviation * noiseScale, index, noise, span);
  }
  return x;
}

/** Where a block began, and its predictions so far, the first one first. */
interface Block {
  readonly x: Tensor;
  readonly sigma: number;
  readonly made: readonly At[];
}

/** From a block's beginning to the end of its newest step, without the noise. */
function advance(
  { x, made }: Block,
  { h, keep, constant, linear, quadratic }: StepWeights,
  solver: DpmSolverType,
): Tensor {
  const [begin, ...later] = made;
  const [first, second] = later.map(({ lambda, m }) => {
    const r = (lambda - begin.lambda) / h;
    return { r, a: scale(1 / r, sub(m, begin.m)) };
  });
  x = axpby(keep, x, constant, begin.m);
  if (later.length === 0) return x;
  if (later.length === 1) return axpy(solver === "midpoint" ? constant / 2 : linear, first.a, x);
  if (solver === "midpoint") return axpy(linear, second.a, x);
  const b = scale(1 / (second.r - first.r), sub(second.a, first.a));
  return axpy(quadratic - linear * first.r, b, axpy(linear, first.a, x));
}

/**
 * The number of predictions that each step of the grid uses: 1, 2, ..., order again and again, cut short where the order does not divide the
 * number of steps. Where it does, the last block becomes 1,2,1 (order 3) or 1,1 (order 2) if `lowerOrderFinal` is set or the grid ends at 0,
 * whose last step is of order 1 in any case.
 */
export function blockOrders(
  steps: number,
  order: number,
  lowerOrderFinal: boolean,
  endsAtZero: boolean,
): readonly number[] {
  const orders = Array.from({ length: steps }, (_, i) => (i % order) + 1);
  if (steps % order === 0 && (lowerOrderFinal || endsAtZero)) orders[steps - 1] = 1;
  return orders;
}
