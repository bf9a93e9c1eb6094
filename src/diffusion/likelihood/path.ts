import type { Tensor } from "../../base/tensor.ts";
import { axpby, sizeOf } from "../../base/tensor.ts";
import type { Sigmas } from "../sigmas.ts";
import { type DormandPrinceOptions, dormandPrince } from "./dormandPrince.ts";

/** The prediction at x, and of each row what log p gains there per unit of ln sigma: d - tr dD/dx. */
export type Visit = (
  x: Tensor,
  sigma: number,
) => Promise<{ readonly denoised: Tensor; readonly gain: Float64Array }>;

/** Where the path ends, and what log p gained on it in each row. */
export interface PathEnd {
  readonly x: Tensor;
  readonly gained: Float64Array;
}

/** The path up along an ascending grid by Heun's method, x in sigma and log p in ln sigma. Order 2. Cost: 2 visits a step. */
export async function heunPath(visit: Visit, x: Tensor, ascending: Sigmas): Promise<PathEnd> {
  const gained = new Float64Array(x.shape[0]);
  for (let i = 0; i + 1 < ascending.length; i++) {
    const [sigma, next] = [ascending[i], ascending[i + 1]];
    const here = await visit(x, sigma);

    // Euler predictor.
    const ahead = axpby(next / sigma, x, 1 - next / sigma, here.denoised);
    const there = await visit(ahead, next);

    // Trapezoidal corrector: the mean of both slopes.
    const slopes = axpby(1 / sigma, x, -1 / sigma, here.denoised);
    const slopesAhead = axpby(1 / next, ahead, -1 / next, there.denoised);
    const half = (next - sigma) / 2;
    x = axpby(1, x, half, axpby(1, slopes, 1, slopesAhead));
    const halfLog = Math.log(next / sigma) / 2;
    gained.forEach((value, row) => (gained[row] = value + halfLog * (here.gain[row] + there.gain[row])));
  }
  return { x, gained };
}

/**
 * The path from one noise level up to another in steps as long as the tolerances allow. What is followed, over ln sigma, is
 *   y = x / sqrt(1 + sigma^2),   dy/dln sigma = (x / (1 + sigma^2) - D) / sqrt(1 + sigma^2),
 * which comes to rest at both ends, and log p. Order 5. The steps are as short as the worst row needs.
 */
export async function adaptivePath(
  visit: Visit,
  x: Tensor,
  [from, to]: readonly [number, number],
  tolerances: DormandPrinceOptions,
): Promise<PathEnd> {
  const { shape } = x;
  const size = sizeOf(shape);
  const xOf = (state: Float64Array, sigma: number): Tensor => ({
    data: state.subarray(0, size).map((value) => value * Math.hypot(1, sigma)),
    shape,
  });

  const start = new Float64Array(size + shape[0]);
  start.set(Float64Array.from(x.data, (value) => value / Math.hypot(1, from)));
  const slope = async (logSigma: number, state: Float64Array): Promise<Float64Array> => {
    const sigma = Math.exp(logSigma);
    const at = xOf(state, sigma);
    const { denoised, gain } = await visit(at, sigma);
    const root = Math.hypot(1, sigma);
    const out = new Float64Array(state.length);
    out.set(axpby(root ** -3, at, -1 / root, denoised).data);
    out.set(gain, size);
    return out;
  };
  const end = await dormandPrince(slope, start, [Math.log(from), Math.log(to)], tolerances);
  return { x: xOf(end, to), gained: end.slice(size) };
}
