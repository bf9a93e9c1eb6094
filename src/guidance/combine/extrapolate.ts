import type { Tensor } from "../../base/tensor.ts";
import { map, rowSize, zip } from "../../base/tensor.ts";
import type { WeightNow } from "../weight.ts";

/** A weak prediction of x0 and how strongly to move away from it. */
export interface WeightedWeak {
  /** w: 1 is off, 0 is the weak prediction itself, above 1 extrapolates beyond the strong one; one for all, or one a row. */
  readonly weight: WeightNow;
  readonly denoised: Tensor;
}

/**
 * The strong prediction moved away from the weak ones.
 *
 *   one weak:      weak + w*(strong - weak)
 *   several:       strong + sum_i (w_i - 1)*(strong - weak_i)
 *   none:          strong itself
 *
 * The two formulas are one; the first is exact at w = 0 too. Both are linear, so the result is the same whether the
 * predictions are x0, eps, v, scores or velocities. All tensors have strong's shape; each value is rounded once.
 * Sources: Ho & Salimans 2022 (arXiv:2207.12598), Eq. 6, with w = 1 + their s; Karras et al. 2024 (arXiv:2406.02507),
 * Eq. 3; Ahn et al. 2024 (arXiv:2403.17377), Eq. 14, for the sum.
 */
export function extrapolate(strong: Tensor, weaks: readonly WeightedWeak[]): Tensor {
  if (weaks.length === 0) return strong;
  const size = rowSize(strong);
  if (weaks.length === 1) {
    const { weight, denoised } = weaks[0];
    if (weight === 1) return strong;
    if (typeof weight === "number") return zip((s, weak) => weak + weight * (s - weak), strong, denoised);
    return map((s, i) => {
      const w = weight[Math.floor(i / size)];
      return w === 1 ? s : denoised.data[i] + w * (s - denoised.data[i]);
    }, strong);
  }
  return map((s, i) => {
    let guided = s;
    for (const { weight, denoised } of weaks) {
      const w = typeof weight === "number" ? weight : weight[Math.floor(i / size)];
      guided += (w - 1) * (s - denoised.data[i]);
    }
    return guided;
  }, strong);
}
