import { dynamicThreshold } from "../../diffusion/threshold.ts";
import type { Adjust } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { adjustMethod, intervalOption } from "../method.ts";
import { probability } from "../values.ts";

export interface ThresholdOptions {
  /** Which quantile of |D| counts as its size. 0 to 1. */
  readonly percentile: number;
  readonly interval?: Interval;
}

/**
 * Dynamic thresholding, for networks of pixels in [-1, 1]: row by row,
 *
 *   s = max(1, quantile(|D|, percentile));     D' = clip(D, -s, s)/s
 *
 * It acts with and without guidance. Source: Saharia et al. 2022 (arXiv:2205.11487), Section 2.3.
 */
export function threshold({ percentile, interval = everywhere }: ThresholdOptions): Adjust {
  return {
    method: "threshold",
    interval,
    relative: false,
    adjust({ denoised }, state) {
      return { denoised: dynamicThreshold(denoised, percentile), state };
    },
  };
}

export const thresholdMethod = adjustMethod({
  name: "threshold",
  role: "adjust",
  summary: "Dynamic thresholding brings pixels that guidance threw out of range back, as a whole.",
  formula: "s = max(1, quantile(|D|, percentile)); D' = clip(D, -s, s)/s",
  needs: "a network of pixels in [-1, 1]; not for latents",
  cost: "nothing",
  adds: { networks: 0, gradients: 0 },
  when: "Pixel networks at large weights.",
  published: "0.995",
  source: "Saharia et al. 2022 (Imagen), arXiv:2205.11487",
  space: "x0",
  strength: "percentile",
  off: null,
  example: { model: "fashion-mnist" },
  options: {
    percentile: {
      meaning: "which quantile of a sample's absolute values counts as its size; 1 is the largest itself",
      unit: "share, 0 to 1",
      default: 0.995,
      values: probability,
    },
    interval: intervalOption,
  },
  make: threshold,
});
