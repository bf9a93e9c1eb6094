import { UsageError } from "../base/errors.ts";
import { betaQuantile } from "../base/betaDistribution.ts";
import { timestepSigmas } from "./betas.ts";

/**
 * The noise levels a sampler visits: positive, strictly descending; the last is 0 (or above it, to stop at a noisy sample). The last may
 * repeat the one before it: a step of no length, which only evaluates (and lets UniPC correct its last step).
 */
export type Sigmas = readonly number[];

export interface SigmaRange {
  /** Number of sampling steps: the grid has steps + 1 values, the last 0. */
  readonly steps: number;
  /** Smallest sigma before the final 0. Default 0.002. */
  readonly min?: number;
  /** Largest sigma. Default 80. */
  readonly max?: number;
}

/**
 * Noise levels equally spaced in sigma^(1/rho), from max to min, then 0:
 * sigma_i = (max^(1/rho) + i / (steps - 1) * (min^(1/rho) - max^(1/rho)))^rho. A single step starts at max.
 *
 * rho (default 7) above 1 puts more of the steps at low noise.
 * Throws UsageError on steps < 1, min <= 0, min >= max or rho <= 0.
 * Source: Karras et al. 2022 (arXiv:2206.00364), Eq. 5.
 */
export function karras({
  steps,
  min = 0.002,
  max = 80,
  rho = 7,
}: SigmaRange & { readonly rho?: number }): Sigmas {
  checkRange(steps, min, max);
  if (!(rho > 0)) throw new UsageError(`rho is a number above 0 (7 is usual), got ${rho}`);
  const [from, to] = [max ** (1 / rho), min ** (1 / rho)];
  return grid(steps, (u) => (from + u * (to - from)) ** rho);
}

/** Noise levels equally spaced in ln sigma, from max to min, then 0. Throws UsageError as `karras`. */
export function exponential({ steps, min = 0.002, max = 80 }: SigmaRange): Sigmas {
  checkRange(steps, min, max);
  return grid(steps, (u) => Math.exp((1 - u) * Math.log(max) + u * Math.log(min)));
}

/**
 * Noise levels whose ln sigma falls from ln max to ln min as a power of the remaining share: with u = 1 - i / (steps - 1),
 * ln sigma_i = ln min + u^rho (ln max - ln min), then 0. rho (default 1, the same as `exponential`) above 1 puts more of the steps
 * at low noise. Throws UsageError as `karras`. Source: k-diffusion's get_sigmas_polyexponential.
 */
export function polyexponential({
  steps,
  min = 0.002,
  max = 80,
  rho = 1,
}: SigmaRange & { readonly rho?: number }): Sigmas {
  checkRange(steps, min, max);
  if (!(rho > 0)) throw new UsageError(`rho is a number above 0 (1 is exponential), got ${rho}`);
  return grid(steps, (u) => Math.exp(Math.log(min) + (1 - u) ** rho * Math.log(max / min)));
}

export interface VpRange {
  /** Number of sampling steps. */
  readonly steps: number;
  /** beta_d, how fast beta(t) grows. Default 19.9. */
  readonly betaD?: number;
  /** beta(0). Default 0.1. */
  readonly betaMin?: number;
  /** The last time before 0, in (0, 1). Default 0.001. */
  readonly end?: number;
}

/**
 * The noise levels of the continuous variance-preserving process at times equally spaced from 1 to `end`, then 0:
 * sigma(t) = sqrt(exp(betaD t^2 / 2 + betaMin t) - 1), the ratio of noise to signal where beta(t) = betaMin + betaD t.
 * Throws UsageError on steps < 1 or a value out of range. Source: Song et al. 2021 (arXiv:2011.13456), Eq. 32-33, with the numbers of
 * Karras et al. 2022 (arXiv:2206.00364), Table 1.
 */
export function vp({ steps, betaD = 19.9, betaMin = 0.1, end = 1e-3 }: VpRange): Sigmas {
  checkSteps(steps);
  if (!(betaD >= 0 && betaMin >= 0 && betaD + betaMin > 0 && betaD + betaMin < 1000 && end > 0 && end < 1))
    throw new UsageError(
      `vp needs betaD and betaMin of at least 0, not both 0, and an end between 0 and 1, got ${betaD}, ${betaMin} and ${end}`,
    );
  return grid(steps, (u) => {
    const t = 1 + u * (end - 1);
    return Math.sqrt(Math.expm1((betaD * t * t) / 2 + betaMin * t));
  });
}

/**
 * Noise levels that crowd at both ends as the quantiles of a Beta(a, b) distribution:
 * sigma_i = min + q(1 - i / (steps - 1)) (max - min), then 0. a = b = 0.6 (default) is usual.
 * Throws UsageError as `karras`. Source: Lee et al. 2024 (arXiv:2407.12173), which spaces timesteps so; here sigmas, as diffusers does.
 */
export function betaSpaced({
  steps,
  min = 0.002,
  max = 80,
  a = 0.6,
  b = 0.6,
}: SigmaRange & { readonly a?: number; readonly b?: number }): Sigmas {
  checkRange(steps, min, max);
  if (!(a > 0.01 && b > 0.01 && a < 100 && b < 100))
    throw new UsageError(`a and b of a Beta distribution are numbers from 0.01 to 100, got ${a} and ${b}`);
  return grid(steps, (u) => min + betaQuantile(1 - u, a, b) * (max - min));
}

/** Which timesteps are kept when there are fewer steps than timesteps. */
export type Spacing = "trailing" | "leading" | "linspace";

/**
 * The noise levels of a discrete schedule, every one of them or `steps` kept ones, descending, then 0.
 *
 * trailing (default): keeps the last timestep, T, T - T/steps, ...; leading: keeps timestep 0; linspace: keeps both ends.
 * Throws UsageError unless steps is a whole number from 1 to the number of betas.
 * Source: the names and formulas are those of Lin et al. 2023 (arXiv:2305.08891), table 2.
 */
export function fromBetas(
  betas: ArrayLike<number>,
  {
    steps = betas.length,
    spacing = "trailing",
  }: { readonly steps?: number; readonly spacing?: Spacing } = {},
): Sigmas {
  const table = timestepSigmas(betas);
  return [...keptTimesteps(betas.length, steps, spacing).map((t) => table[t]), 0];
}

/** The `steps` timesteps, descending, kept of 0..count-1. See `fromBetas`. */
export function keptTimesteps(
  count: number,
  steps: number,
  spacing: Spacing = "trailing",
): readonly number[] {
  if (!Number.isInteger(steps) || steps < 1 || steps > count) {
    throw new UsageError(`steps is a whole number from 1 to the schedule's ${count} timesteps, got ${steps}`);
  }
  const indices = Array.from({ length: steps }, (_, i) => i);
  switch (spacing) {
    case "trailing":
      return indices.map((i) => roundHalfEven(count - (i * count) / steps) - 1);
    case "leading":
      return indices.map((i) => (steps - 1 - i) * Math.floor(count / steps));
    case "linspace":
      return indices.map((i) =>
        steps === 1 ? 0 : roundHalfEven(((steps - 1 - i) * (count - 1)) / (steps - 1)),
      );
    default:
      throw new UsageError(
        `no spacing is called "${String(spacing satisfies never)}"; there are: trailing, leading, linspace`,
      );
  }
}

/** [index, sigma, next sigma] of every step. Throws UsageError where the grid is not positive and strictly descending. */
export function* pairs(sigmas: Sigmas): Generator<readonly [index: number, sigma: number, next: number]> {
  checkSigmas(sigmas);
  for (let i = 0; i + 1 < sigmas.length; i++) yield [i, sigmas[i], sigmas[i + 1]];
}

/** Throws UsageError where the grid is not positive and strictly descending. */
export function checkSigmas(sigmas: Sigmas): void {
  if (sigmas.length < 2)
    throw new UsageError(`sigmas needs at least two values (one step), got ${sigmas.length}`);
  for (let i = 0; i < sigmas.length; i++) {
    const repeats = i === sigmas.length - 1 && sigmas[i] === sigmas[i - 1] && sigmas[i] > 0;
    const isValid =
      i === 0 ? Number.isFinite(sigmas[0]) : repeats || (sigmas[i] >= 0 && sigmas[i] < sigmas[i - 1]);
    if (!isValid) {
      throw new UsageError(
        `sigmas descends strictly and ends at 0 or above, but value ${i} is ${sigmas[i]}${i > 0 ? ` after ${sigmas[i - 1]}` : ""}`,
      );
    }
  }
}

function grid(steps: number, sigmaAt: (u: number) => number): Sigmas {
  const sigmas = Array.from({ length: steps }, (_, i) => sigmaAt(steps === 1 ? 0 : i / (steps - 1)));
  return [...sigmas, 0];
}

/** More steps are a mistake in writing. */
const MOST_STEPS = 100_000;

function checkSteps(steps: number): void {
  if (!Number.isInteger(steps) || steps < 1)
    throw new UsageError(`steps is a whole number, 1 or more, got ${steps}`);
  if (steps > MOST_STEPS) throw new UsageError(`steps is at most ${MOST_STEPS}, got ${steps}`);
}

function checkRange(steps: number, min: number, max: number): void {
  checkSteps(steps);
  if (!(min > 0 && min < max && Number.isFinite(max))) {
    throw new UsageError(`a grid of sigmas needs 0 < min < max, got min ${min} and max ${max}`);
  }
}

/** Rounds to the nearest integer, halves to the even one, as numpy does. */
export function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}
