import { roundHalfEven } from "../sigmas.ts";
import type { Spacing } from "../sigmas.ts";

export interface SpacingSpec {
  readonly spacing: Spacing;
  /** Number of steps n. */
  readonly steps: number;
  /** Number of timesteps N that the model was trained with. */
  readonly count: number;
  /** Added to every timestep of "leading" (steps_offset). Default 0. */
  readonly offset?: number;
}

/**
 * Timesteps, highest first, of the classes that place n points: with N = count and n = steps,
 *   linspace  n points from N - 1 to 0, fractional;   leading  i floor(N/n) + offset, i = n-1 ... 0;   trailing  see `trailing`.
 */
export function spacedTimesteps({ spacing, steps, count, offset = 0 }: SpacingSpec): number[] {
  if (spacing === "linspace") return linspace(0, count - 1, steps).reverse();
  if (spacing === "trailing") return trailing(count, count / steps);
  const gap = Math.floor(count / steps);
  return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * gap + offset);
}

/**
 * Timesteps, highest first, of the classes that place n + 1 points and leave out the lowest (the DPM family): with M = last,
 *   linspace  n + 1 points from M - 1 to 0, rounded;   leading  i floor(M / (n+1)) + offset;   trailing  from M down by N/n.
 * `last` (default N) is below N where very noisy timesteps are cut off.
 */
export function spacedTimestepsAboveLowest({
  spacing,
  steps,
  count,
  offset = 0,
  last = count,
}: SpacingSpec & { readonly last?: number }): number[] {
  if (spacing === "trailing") return trailing(last, count / steps);
  const gap = Math.floor(last / (steps + 1));
  const points =
    spacing === "linspace"
      ? linspace(0, last - 1, steps + 1).map(roundHalfEven)
      : Array.from({ length: steps + 1 }, (_, i) => i * gap + offset);
  return points.reverse().slice(0, -1);
}

/**
 * round(from - i gap) - 1 for i = 0, 1, ... while from - i gap > 0, in float64 as numpy's arange counts: for some n (61, 103, ...) the
 * rounding of N/n leaves one entry more, whose timestep is -1.
 */
function trailing(from: number, gap: number): number[] {
  // arange takes its step from its second entry.
  const step = from - gap - from;
  return Array.from({ length: Math.ceil(-from / -gap) }, (_, i) => roundHalfEven(from + i * step) - 1);
}

/** n equally spaced numbers from first to last; first alone for n = 1. */
export function linspace(first: number, last: number, n: number): number[] {
  const step = (last - first) / (n - 1);
  return Array.from({ length: n }, (_, i) => (i === n - 1 && n > 1 ? last : first + (n > 1 ? i * step : 0)));
}
