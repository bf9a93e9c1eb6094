import type { Tensor } from "../../base/tensor.ts";
import { rowSize, sameKind } from "../../base/tensor.ts";
import { rowOf, standardDeviation } from "../combine/perRow.ts";
import type { Adjust } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { adjustMethod, intervalOption } from "../method.ts";
import { convertAt } from "../spaces.ts";
import type { Space } from "../spaces.ts";
import { choice, probability } from "../values.ts";

export interface RescaleOptions {
  /** phi: 0 is off, 1 gives the guided prediction the strong one's standard deviation. */
  readonly amount: number;
  /** The space whose standard deviations are compared. The paper's: v. */
  readonly space: Space;
  readonly interval?: Interval;
}

/**
 * Rescaled guidance: the guided prediction keeps the strong one's standard deviation, by `amount`, row by row.
 *
 *   D' = amount * D * std(strong)/std(D) + (1 - amount) * D            in `space`, std over all of a row, n - 1 divisor
 *
 * Source: Lin et al. 2023 (arXiv:2305.08891), Eqs. 15 and 16, in v.
 */
export function rescale({ amount, space, interval = everywhere }: RescaleOptions): Adjust {
  return {
    method: "rescale",
    interval,
    relative: true,
    adjust({ x, sigma, strong, denoised }, state) {
      if (amount === 0) return { denoised, state };
      const { to, from } = convertAt(space, x, sigma);
      const [guided, reference] = [to(denoised), to(strong)];
      const data = sameKind(guided.data, guided.data.length);
      const size = rowSize(guided);
      for (let row = 0; row < guided.shape[0]; row++) {
        const values = rowOf(guided, row);
        const ratio = standardDeviation(rowOf(reference, row)) / standardDeviation(values);
        const factor = Number.isFinite(ratio) ? amount * ratio + 1 - amount : 1;
        data.set(
          values.map((value) => factor * value),
          row * size,
        );
      }
      const scaled: Tensor = { data, shape: guided.shape };
      return { denoised: from(scaled), state };
    },
  };
}

export const rescaleMethod = adjustMethod({
  name: "rescale",
  role: "adjust",
  summary: "Rescaling gives the guided prediction the strong prediction's standard deviation back.",
  formula: "D' = amount*D*std(strong)/std(D) + (1 - amount)*D",
  needs: "nothing",
  cost: "nothing",
  adds: { networks: 0, gradients: 0 },
  when: "With CFG of a large weight, against overexposed pictures.",
  published: "0.7 with weight 7.5",
  source: "Lin et al. 2023, arXiv:2305.08891",
  space: "v",
  strength: "amount",
  off: 0,
  options: {
    amount: {
      meaning: "phi: 0 is off, 1 is the strong prediction's standard deviation",
      unit: "share, 0 to 1",
      default: 0.7,
      values: probability,
    },
    interval: intervalOption,
    space: {
      meaning:
        "whose standard deviations are compared: the paper's v, or what another program's network predicts",
      unit: "one of v, eps, x0, velocity",
      default: "v" as const,
      values: choice("v", "eps", "x0", "velocity"),
    },
  },
  make: rescale,
});
