import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, sub } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import { phi } from "./phi.ts";

/** A prediction of noise at a place of the path. */
type Eps = (x: Tensor, lambda: number) => Promise<Tensor>;

/** eps = (x - D)/sigma at lambda = -ln sigma, all in one step of the sampler. */
export const epsOf =
  (denoise: Evaluate, step: number): Eps =>
  async (x, lambda) => {
    const sigma = Math.exp(-lambda);
    return axpby(1 / sigma, x, -1 / sigma, await denoise(x, sigma, step));
  };

/**
 * One step of DPM-Solver of order 1, 2 or 3 from lambda = l to l + h, given eps at its beginning:
 *   1:  x - sigma' G(h) e
 *   2:  ... - sigma'/(2r) G(h) (e1 - e),           e1 at l + r h
 *   3:  ... - sigma'/r2 h phi_2(h) (e2 - e),        e1 at l + r1 h, e2 at l + r2 h
 * with G(t) = e^t - 1. `e1` may be given where it is known already.
 * Source: Lu et al. 2022 (arXiv:2206.00927), Algorithms 1 and 2.
 */
export async function dpmSolverStep(
  eps: Eps,
  x: Tensor,
  e: Tensor,
  [from, to]: readonly [number, number],
  order: number,
  { r1 = order === 2 ? 1 / 2 : 1 / 3, r2 = 2 / 3, e1 }: { r1?: number; r2?: number; e1?: Tensor } = {},
): Promise<{ readonly x: Tensor; readonly e1?: Tensor }> {
  const h = to - from;
  const sigma = (lambda: number): number => Math.exp(-lambda);
  const first = axpy(-sigma(to) * Math.expm1(h), e, x);
  if (order === 1) return { x: first };

  const s1 = from + r1 * h;
  e1 ??= await eps(axpy(-sigma(s1) * Math.expm1(r1 * h), e, x), s1);
  if (order === 2) return { x: axpy((-sigma(to) / (2 * r1)) * Math.expm1(h), sub(e1, e), first), e1 };

  const s2 = from + r2 * h;
  const u2 = axpy(
    -sigma(s2) * (r2 / r1) * r2 * h * phi(2, r2 * h),
    sub(e1, e),
    axpy(-sigma(s2) * Math.expm1(r2 * h), e, x),
  );
  const e2 = await eps(u2, s2);
  return { x: axpy((-sigma(to) / r2) * h * phi(2, h), sub(e2, e), first), e1 };
}
