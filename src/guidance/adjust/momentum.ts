import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy } from "../../base/tensor.ts";
import type { Adjust } from "../guidance.ts";
import { stateful } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { adjustMethod, intervalOption, numberOption } from "../method.ts";

export interface MomentumOptions {
  /** a: 0 is off. */
  readonly amount: number;
  /** b: share of the old average that is kept, 0 to 1. */
  readonly decay: number;
  readonly interval?: Interval;
}

/** The running average of predictions; null before the first. */
type Memory = Tensor | null;

/**
 * Momentum guidance: away from the running average of the steps before.
 *
 *   D' = D + amount*(D - m);     m <- (1 - decay)*D + decay*m;     m is the first D at first
 *
 * It acts with and without other guidance. Source: arXiv:2602.20360.
 */
export function momentum({ amount, decay, interval = everywhere }: MomentumOptions): Adjust {
  return stateful<Memory, Adjust<Memory>>({
    method: "momentum",
    interval,
    relative: false,
    init: () => null,
    adjust({ denoised }, before) {
      const average = before ?? denoised;
      if (amount === 0) return { denoised, state: null };
      return {
        denoised: axpy(amount, axpy(-1, average, denoised), denoised),
        state: axpby(1 - decay, denoised, decay, average),
      };
    },
  });
}

export const momentumMethod = adjustMethod({
  name: "momentum",
  role: "adjust",
  summary: "Momentum guidance moves away from the running average of the predictions before, at no cost.",
  formula: "D' = D + amount*(D - m); m <- (1 - decay)*D + decay*m",
  needs: "nothing",
  cost: "nothing",
  adds: { networks: 0, gradients: 0 },
  when: "Sharper pictures at no cost, with or without CFG.",
  published: "amount 0.5, decay 0.6",
  source: "Momentum guidance 2026, arXiv:2602.20360",
  space: "x0",
  strength: "amount",
  off: 0,
  example: { spec: "momentum:0.5" },
  options: {
    amount: numberOption("a: 0 is off", 0.5),
    interval: intervalOption,
    decay: numberOption("b: share of the old average that is kept, 0 to 1", 0.6),
  },
  conflict: ({ decay }) =>
    (decay as number) >= 0 && (decay as number) <= 1 ? undefined : "decay lies between 0 and 1",
  make: momentum,
});
