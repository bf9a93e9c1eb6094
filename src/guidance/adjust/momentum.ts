import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy } from "../../base/tensor.ts";
import type { Adjust } from "../guidance.ts";
import { stateful } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { adjustMethod, intervalOption, numberOption, spaceOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";

export interface MomentumOptions {
  /** a: 0 is off. */
  readonly amount: number;
  /** b: share of the old average that is kept, 0 to 1. */
  readonly decay: number;
  readonly interval?: Interval;
  /** What the average is of. Default: velocity, as the paper's. */
  readonly space?: Space;
}

/** The running average of predictions in the space; null before the first. */
type Memory = Tensor | null;

/**
 * Momentum guidance: away from the running average of the steps before, on predictions of the velocity.
 *
 *   u' = u + amount*(u - m);     m <- (1 - decay)*u + decay*m;     m is the first u at first
 *
 * It acts with and without other guidance. Source: Liao et al. 2026 (arXiv:2602.20360), Algorithm 1.
 */
export function momentum(options: MomentumOptions): Adjust {
  const { amount, decay, interval = everywhere, space = "velocity" } = options;
  return stateful<Memory, Adjust<Memory>>({
    method: "momentum",
    interval,
    relative: false,
    init: () => null,
    adjust({ x, sigma, denoised }, average) {
      if (amount === 0) return { denoised, state: null };
      const { to, from } = convertAt(space, x, sigma);
      const u = to(denoised);
      if (average === null) return { denoised, state: u };
      return {
        denoised: from(axpy(amount, axpy(-1, average, u), u)),
        state: axpby(1 - decay, u, decay, average),
      };
    },
  });
}

export const momentumMethod = adjustMethod({
  name: "momentum",
  role: "adjust",
  summary: "Momentum guidance moves away from the running average of the predictions before, at no cost.",
  formula: "u' = u + amount*(u - m); m <- (1 - decay)*u + decay*m",
  needs: "nothing",
  cost: "nothing",
  adds: { networks: 0, gradients: 0 },
  when: "Sharper pictures at no cost, with or without CFG.",
  published: "amount 0.5, decay 0.6",
  source: "Liao et al. 2026, arXiv:2602.20360",
  space: "velocity",
  strength: "amount",
  off: 0,
  example: { spec: "momentum:0.5" },
  options: {
    amount: numberOption("a: 0 is off", 0.5),
    interval: intervalOption,
    decay: numberOption("b: share of the old average that is kept, 0 to 1", 0.6),
    space: spaceOption(
      "velocity",
      "what the average is of; the paper's is velocity, nodes for ComfyUI have x0",
    ),
  },
  conflict: ({ decay }) =>
    (decay as number) >= 0 && (decay as number) <= 1 ? undefined : "decay lies between 0 and 1",
  make: momentum,
});
