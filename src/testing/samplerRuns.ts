import { seededNoise } from "../base/philox.ts";
import type { Tensor } from "../base/tensor.ts";
import { axpy, scale, tensor } from "../base/tensor.ts";
import type { Evaluate } from "../diffusion/denoiser.ts";
import { last } from "../diffusion/last.ts";
import { gaussian } from "../diffusion/oracles/gaussian.ts";
import { gaussianMixture } from "../diffusion/oracles/mixture.ts";
import type { Noise, Step } from "../diffusion/samplers/sampler.ts";
import { karras } from "../diffusion/sigmas.ts";

/** Two Gaussians in the plane, an oracle that no sampler solves exactly. */
export const twoGaussians = gaussianMixture({
  weights: [0.6, 0.4],
  means: [
    [-1, 0.5],
    [1.5, -0.5],
  ],
  stds: [0.5, [0.3, 0.8]],
});

const SEEDS = [3, 4, 5];

/** Three points of the plane with noise of standard deviation sigma. */
export function startAt(sigma: number): Tensor {
  return scale(sigma, seededNoise(SEEDS, 0, [SEEDS.length, 2], "float64"));
}

/** A noise of its own for each step and part, for `startAt`. */
export const stepNoise: Noise = (index, shape, { part = 0 }) =>
  seededNoise(SEEDS, index + 1 + 100 * part, shape, "float64");

/** The sample before each step, then the result. */
export async function statesOf(run: AsyncGenerator<Step, Tensor, void>): Promise<Tensor[]> {
  const states: Tensor[] = [];
  for (;;) {
    const { done, value } = await run.next();
    states.push(done ? value : value.x);
    if (done) return states;
  }
}

/** Runs to the end with what the denoiser was asked: noise level and number of the step, call by call. */
export async function recordCalls(
  run: (denoise: Evaluate) => AsyncGenerator<Step, Tensor, void>,
): Promise<{ readonly states: readonly Tensor[]; readonly calls: readonly (readonly [number, number?])[] }> {
  const calls: [number, number?][] = [];
  const states = await statesOf(
    run((x, sigma, step) => {
      calls.push([sigma, step]);
      return twoGaussians.denoise(x, sigma);
    }),
  );
  return { states, calls };
}

/** A denoiser whose prediction of x0 is f(lambda) in every element, lambda = -ln sigma. */
export const x0At =
  (f: (lambda: number) => number): Evaluate =>
  (x, sigma) =>
    Promise.resolve({ data: x.data.map(() => f(-Math.log(sigma))), shape: x.shape });

/** A denoiser whose prediction of eps is f(lambda) in every element: D = x - sigma f. */
export const epsAt =
  (f: (lambda: number) => number): Evaluate =>
  async (x, sigma) =>
    axpy(-sigma, await x0At(f)(x, sigma), x);

/**
 * Observed orders of convergence to the exact path of a Gaussian: log2 of the ratio of the errors at 240 and 480, and 480 and 960 steps from
 * 80 to 0.002.
 */
export async function observedOrders(
  run: (denoise: Evaluate, x: Tensor, sigmas: readonly number[]) => AsyncGenerator<Step, Tensor, void>,
  counts: readonly number[] = [240, 480, 960],
): Promise<readonly number[]> {
  const data = gaussian({ mean: 0.7, std: 0.5 });
  const x = tensor(Float64Array.of(60), [1, 1]);
  const exact = data.path(x, 80, 0.002).data[0];
  const errors = await Promise.all(
    counts.map(async (steps) => {
      const grid = karras({ steps: steps + 1 }).slice(0, -1);
      return Math.abs((await last(run(data.denoise, x, grid))).data[0] - exact);
    }),
  );
  return errors.slice(1).map((error, i) => Math.log2(errors[i] / error));
}
