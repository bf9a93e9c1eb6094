import { standardDeviation } from "../perRow.ts";
import type { Adjust } from "../guidance.ts";
import { adjustMethod, intervalOption } from "../method.ts";
import { choice, probability } from "../values.ts";
import { type ScaledToOptions, scaledTo } from "./scaledTo.ts";

/**
 * Rescaled guidance: the guided prediction keeps the strong one's standard deviation, by `amount` (phi), row by row.
 *
 *   D' = amount * D * std(strong)/std(D) + (1 - amount) * D            in `space`, std over all of a row, n - 1 divisor
 *
 * Source: Lin et al. 2023 (arXiv:2305.08891), Eqs. 15 and 16, in v.
 */
export const rescale = (options: ScaledToOptions): Adjust => scaledTo("rescale", standardDeviation, options);

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
  example: { model: "fashion-mnist" },
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
