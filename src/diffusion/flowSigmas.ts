import { UsageError } from "../base/errors.ts";
import { NOISE_ALONE } from "./betas.ts";
import type { Sigmas } from "./sigmas.ts";

export interface FlowRange {
  /** Number of sampling steps. */
  readonly steps: number;
  /** How much the times are moved towards noise, above 0; 1 not at all, 3 as Stable Diffusion 3. Default 1. */
  readonly shift?: number;
  /** The last time before 0, in (0, 1): the times are stretched to end there. Default: where they fall. */
  readonly terminal?: number;
}

/**
 * The noise levels of a straight path x = (1 - t) x0 + t noise at times that are equally spaced from 1 to 0 and then shifted towards noise:
 * t_i = shiftTime(1 - i / steps, shift), sigma = t / (1 - t). The first is `NOISE_ALONE`, the last 0.
 * Throws UsageError on steps < 1, shift <= 0 or a terminal outside (0, 1).
 * Source: Esser et al. 2024 (arXiv:2403.03206), Eq. 23.
 */
export function flow({ steps, shift = 1, terminal }: FlowRange): Sigmas {
  if (!Number.isInteger(steps) || steps < 1)
    throw new UsageError(`steps is a whole number, 1 or more, got ${steps}`);
  if (!(shift > 0 && shift < Infinity)) throw new UsageError(`shift is a number above 0, got ${shift}`);
  if (terminal !== undefined && !(terminal > 0 && terminal < 1))
    throw new UsageError(`terminal is a time between 0 and 1, both excluded, got ${terminal}`);
  const times = Array.from({ length: steps }, (_, i) => shiftTime(1 - i / steps, shift));
  const stretched = terminal === undefined || steps === 1 ? times : stretchToTerminal(times, terminal);
  return [...stretched.map(flowSigma), 0];
}

/** A time of a straight path moved towards noise: shift t / (1 + (shift - 1) t). The noise level t / (1 - t) is multiplied by shift. */
export function shiftTime(t: number, shift: number): number {
  return (shift * t) / (1 + (shift - 1) * t);
}

/**
 * The shift for a number of image tokens: e^mu, mu linear in the tokens from `base` at `baseTokens` to `max` at `maxTokens`, since more
 * pixels want more noise to be hidden. Source: FLUX.1's sampling code; Esser et al. 2024 (arXiv:2403.03206), section 5.3.2.
 */
export function shiftForTokens(
  tokens: number,
  { base = 0.5, max = 1.15, baseTokens = 256, maxTokens = 4096 } = {},
): number {
  return Math.exp(base + ((max - base) * (tokens - baseTokens)) / (maxTokens - baseTokens));
}

/** The shift that a number mu stands for, as models choose it by resolution: e^mu ("exponential") or mu itself ("linear"). */
export function dynamicShift(kind: "exponential" | "linear", mu: number): number {
  if (kind === "linear" && !(mu > 0)) throw new UsageError(`a linear shift wants a mu above 0, got ${mu}`);
  return kind === "linear" ? mu : Math.exp(mu);
}

/** The noise level (noise over signal) of a time of a straight path, at most `NOISE_ALONE`. */
export function flowSigma(t: number): number {
  return Math.min(t / (1 - t), NOISE_ALONE);
}

/** Times whose distances from 1 are multiplied so that the last one is `terminal`: 1 - (1 - t) (1 - terminal) / (1 - t_last). */
export function stretchToTerminal(times: readonly number[], terminal: number): number[] {
  const factor = (1 - terminal) / (1 - times[times.length - 1]);
  return times.map((t) => 1 - (1 - t) * factor);
}
