import type { Prediction } from "../../diffusion/denoiser.ts";
import { rowSize, sameKind } from "../../base/tensor.ts";
import { rowOf, shareOfSize } from "../perRow.ts";
import type { Adjust } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { type Space, convertAt } from "../spaces.ts";

export interface ScaledToOptions {
  /** 0 is off, 1 gives the guided prediction the strong one's size. */
  readonly amount: number;
  /** The space whose sizes are compared. */
  readonly space: Space;
  readonly interval?: Interval;
}

/**
 * The guided prediction keeps the strong one's size, by `amount`, row by row:
 *
 *   D' = amount * D * size(strong)/size(D) + (1 - amount) * D            in `space`
 *
 * A row whose size is 0 is left alone.
 */
export function scaledTo(
  method: string,
  sizeOfRow: (row: Float64Array) => number,
  { amount, space, interval = everywhere }: ScaledToOptions,
): Adjust {
  function scaled(denoised: Prediction, strong: Prediction): Prediction {
    const data = sameKind(denoised.data, denoised.data.length);
    for (let row = 0; row < denoised.shape[0]; row++) {
      const values = rowOf(denoised, row);
      const factor = shareOfSize(amount, sizeOfRow(rowOf(strong, row)), sizeOfRow(values));
      data.set(
        values.map((value) => factor * value),
        row * rowSize(denoised),
      );
    }
    return { data, shape: denoised.shape };
  }
  return {
    method,
    interval,
    relative: true,
    adjust({ x, sigma, strong, denoised }, state) {
      if (amount === 0) return { denoised, state };
      const { to, from } = convertAt(space, x, sigma);
      return { denoised: from(scaled(to(denoised), to(strong))), state };
    },
  };
}
