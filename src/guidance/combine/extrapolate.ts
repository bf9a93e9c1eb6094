import type { Tensor } from "../../base/tensor.ts";
import { rowSize, sameKind } from "../../base/tensor.ts";
import { type WeightNow, weightOfRow } from "../weight.ts";

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
  const data = sameKind(strong.data, strong.data.length);
  for (let row = 0; row < strong.shape[0]; row++) {
    // Weights of 1 are left out row by row, so that a row is what it would be alone, bit for bit.
    const active = weaks.filter(({ weight }) => weightOfRow(weight, row) !== 1);
    const [from, to] = [row * size, (row + 1) * size];
    if (active.length === 1) {
      const [w, weak] = [weightOfRow(active[0].weight, row), active[0].denoised.data];
      for (let i = from; i < to; i++) data[i] = weak[i] + w * (strong.data[i] - weak[i]);
      continue;
    }
    const pairs = active.map(
      ({ weight, denoised }) => [weightOfRow(weight, row) - 1, denoised.data] as const,
    );
    for (let i = from; i < to; i++) {
      let guided = strong.data[i];
      for (const [s, weak] of pairs) guided += s * (strong.data[i] - weak[i]);
      data[i] = guided;
    }
  }
  return { data, shape: strong.shape };
}
