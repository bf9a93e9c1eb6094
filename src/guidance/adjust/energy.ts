import { norm } from "../perRow.ts";
import type { Adjust } from "../guidance.ts";
import { adjustMethod, intervalOption } from "../method.ts";
import { choice, probability } from "../values.ts";
import { type ScaledToOptions, scaledTo } from "./scaledTo.ts";

/**
 * Energy-preserving guidance: the guided prediction keeps the strong one's energy E = |D|^2, row by row.
 *
 *   D' = amount * D * sqrt(E(strong)/E(D)) + (1 - amount) * D            in `space`
 *
 * Source: Zhang et al. 2024 (arXiv:2412.09966).
 */
export const energy = (options: ScaledToOptions): Adjust => scaledTo("energy", norm, options);

export const energyMethod = adjustMethod({
  name: "energy",
  role: "adjust",
  summary: "Energy-preserving guidance (EP-CFG) gives the guided prediction the strong prediction's energy.",
  formula: "D' = amount*D*|strong|/|D| + (1 - amount)*D",
  needs: "nothing",
  cost: "nothing",
  adds: { networks: 0, gradients: 0 },
  when: "With CFG of a large weight, against contrast that grows.",
  published: "1",
  source: "Zhang et al. 2024, arXiv:2412.09966",
  space: "eps",
  strength: "amount",
  off: 0,
  example: { model: "fashion-mnist" },
  options: {
    amount: {
      meaning: "0 is off, 1 is the strong prediction's energy",
      unit: "share, 0 to 1",
      default: 1,
      values: probability,
    },
    interval: intervalOption,
    space: {
      meaning: "whose energies are compared",
      unit: "one of eps, x0, v, velocity",
      default: "eps",
      values: choice("eps", "x0", "v", "velocity"),
    },
  },
  make: energy,
});
