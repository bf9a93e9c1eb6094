import { axpby } from "../../base/tensor.ts";
import type { Adjust } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { adjustMethod, intervalOption, numberOption } from "../method.ts";

export interface EpsilonScalingOptions {
  /** 1 is off. */
  readonly factor: number;
  readonly interval?: Interval;
}

/**
 * Epsilon scaling, against the exposure bias: the predicted noise is made smaller.
 *
 *   eps' = eps/factor,     that is     D' = x - (x - D)/factor
 *
 * It acts with and without guidance. Source: Ning et al. 2023 (arXiv:2308.15321).
 */
export function epsilonScaling({ factor, interval = everywhere }: EpsilonScalingOptions): Adjust {
  return {
    method: "epsilon-scaling",
    interval,
    relative: false,
    adjust: ({ x, denoised }, state) => ({
      denoised: factor === 1 ? denoised : axpby(1 - 1 / factor, x, 1 / factor, denoised),
      state,
    }),
  };
}

export const epsilonScalingMethod = adjustMethod({
  name: "epsilon-scaling",
  role: "adjust",
  summary: "Epsilon scaling makes the predicted noise a little smaller, against errors that pile up.",
  formula: "eps' = eps/factor",
  needs: "nothing",
  cost: "nothing",
  adds: { networks: 0, gradients: 0 },
  when: "Few steps of a discrete-time network.",
  published: "1.005",
  source: "Ning et al. 2023, arXiv:2308.15321",
  space: "eps",
  strength: "factor",
  off: 1,
  example: { spec: "epsilon-scaling:1.005", model: "fashion-mnist" },
  options: {
    factor: numberOption("what eps is divided by: 1 is off, above 1 is smaller", 1.005),
    interval: intervalOption,
  },
  conflict: ({ factor }) => ((factor as number) > 0 ? undefined : `factor is above 0, got ${String(factor)}`),
  make: epsilonScaling,
});
