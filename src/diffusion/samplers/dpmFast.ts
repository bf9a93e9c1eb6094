import { UsageError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import type { Sigmas } from "../sigmas.ts";
import { checkSigmas } from "../sigmas.ts";
import { dpmSolverStep } from "./dpmSolver.ts";
import { ancestralSplit, type EulerAncestralOptions } from "./eulerAncestral.ts";
import { addNoise } from "./sampler.ts";
import type { Step } from "./sampler.ts";

/**
 * DPM-Solver-fast: as many evaluations as the grid has steps, spent on equal intervals of ln sigma by steps of order 3 and a last one or
 * two of lower order. Of the grid it takes the number of steps, the first noise level, and the last one above 0, where it ends.
 *
 * Cost: 1 evaluation for each step of the grid, 3 in each of its own steps. With eta above 0, noise after each of its own steps.
 * Source: Lu et al. 2022 (arXiv:2206.00927), appendix D.3; ancestral as in k-diffusion.
 */
export async function* dpmFast(
  denoise: Evaluate,
  x: Tensor,
  sigmas: Sigmas,
  { eta = 0, noiseScale = 1, noise }: EulerAncestralOptions = {},
): AsyncGenerator<Step, Tensor, void> {
  checkSigmas(sigmas);
  const evaluations = sigmas.length - 1;
  const [start, end] = ends(sigmas);
  const orders = ordersOf(evaluations);
  for (const [index, order] of orders.entries()) {
    const at = (i: number): number => -Math.log(start) + (i / orders.length) * Math.log(start / end);
    const [from, to] = [at(index), at(index + 1)];
    const [sigma, next] = [Math.exp(-from), Math.exp(-to)];
    const down = eta === 0 ? next : ancestralSplit(sigma, next, eta).down;
    const target = eta === 0 ? to : Math.min(-Math.log(end), -Math.log(down));
    const up = eta === 0 ? 0 : Math.sqrt(Math.max(0, next * next - Math.exp(-2 * target)));

    const denoised = await denoise(x, sigma, index);
    yield { index, sigma, next, x, denoised };
    const eps = async (at_: Tensor, lambda: number): Promise<Tensor> => {
      const level = Math.exp(-lambda);
      return axpby(1 / level, at_, -1 / level, await denoise(at_, level, index));
    };
    const e = axpby(1 / sigma, x, -1 / sigma, denoised);
    const moved = await dpmSolverStep(eps, x, e, [from, target], order);
    x = addNoise(moved.x, up * noiseScale, index, noise, { from: sigma, to: next });
  }
  return x;
}

/** The first noise level and the last one above 0. */
export function ends(sigmas: Sigmas): readonly [number, number] {
  const last = sigmas[sigmas.length - 1];
  const end = last > 0 ? last : sigmas[sigmas.length - 2];
  if (end === sigmas[0])
    throw new UsageError("this sampler needs a grid of two noise levels above 0, got one");
  return [sigmas[0], end];
}

/** 3, 3, ..., 3, 2, 1 where 3 divides n, else 3, ..., 3, n mod 3: they sum to n. */
function ordersOf(n: number): number[] {
  const count = Math.floor(n / 3) + 1;
  const threes = new Array<number>(n % 3 === 0 ? count - 2 : count - 1).fill(3);
  return n % 3 === 0 ? [...threes, 2, 1] : [...threes, n % 3];
}
