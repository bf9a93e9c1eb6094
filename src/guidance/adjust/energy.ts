import { rowSize, sameKind } from "../../base/tensor.ts";
import { dot, rowOf } from "../combine/perRow.ts";
import type { Adjust } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { adjustMethod, intervalOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";
import { choice, probability } from "../values.ts";

export interface EnergyOptions {
  /** 0 is off, 1 gives the guided prediction the strong one's energy. */
  readonly amount: number;
  readonly space: Space;
  readonly interval?: Interval;
}

/**
 * Energy-preserving guidance: the guided prediction keeps the strong one's energy E = |D|^2, row by row.
 *
 *   D' = amount * D * sqrt(E(strong)/E(D)) + (1 - amount) * D
 *
 * Source: Zhang et al. 2024 (arXiv:2412.09966).
 */
export function energy({ amount, space, interval = everywhere }: EnergyOptions): Adjust {
  return {
    method: "energy",
    interval,
    relative: true,
    adjust({ x, sigma, strong, denoised }, state) {
      if (amount === 0) return { denoised, state };
      const { to, from } = convertAt(space, x, sigma);
      const [guided, reference] = [to(denoised), to(strong)];
      const data = sameKind(guided.data, guided.data.length);
      for (let row = 0; row < guided.shape[0]; row++) {
        const [values, wanted] = [rowOf(guided, row), rowOf(reference, row)];
        const ratio = Math.sqrt(dot(wanted, wanted) / dot(values, values));
        const factor = Number.isFinite(ratio) ? amount * ratio + 1 - amount : 1;
        data.set(
          values.map((value) => factor * value),
          row * rowSize(guided),
        );
      }
      return { denoised: from({ data, shape: guided.shape }), state };
    },
  };
}

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
