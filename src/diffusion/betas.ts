import { UsageError } from "../base/errors.ts";

/**
 * Discrete noise schedules of DDPM's kind: betas[i] is the variance added at timestep i, 0 <= i < count, in
 * x_i = sqrt(1 - beta_i) x_{i-1} + sqrt(beta_i) noise. Timesteps count from 0 as in every released model; a paper's t is i + 1.
 */
export type BetasSpec = LinearBetas | ScaledLinearBetas | CosineBetas;

export interface LinearBetas {
  readonly kind: "linear";
  /** Number of timesteps. Default 1000. */
  readonly count?: number;
  /** First beta, in (0, 1). Default 1e-4. */
  readonly start?: number;
  /** Last beta, in (0, 1). Default 0.02. */
  readonly end?: number;
}

export interface ScaledLinearBetas {
  readonly kind: "scaled-linear";
  /** Number of timesteps. Default 1000. */
  readonly count?: number;
  /** First beta, in (0, 1). Default 0.00085. */
  readonly start?: number;
  /** Last beta, in (0, 1). Default 0.012. */
  readonly end?: number;
}

export interface CosineBetas {
  readonly kind: "cosine";
  /** Number of timesteps. Default 1000. */
  readonly count?: number;
  /** Keeps the first betas from vanishing. Default 0.008. */
  readonly offset?: number;
  /** Every beta is cut to this, in (0, 1). Default 0.999. */
  readonly max?: number;
}

/** The betas of a schedule given as data, for example { kind: "linear", count: 1000 }. Throws UsageError on an unknown kind. */
export function betas(spec: BetasSpec): Float64Array {
  switch (spec.kind) {
    case "linear":
      return linearBetas(spec);
    case "scaled-linear":
      return scaledLinearBetas(spec);
    case "cosine":
      return cosineBetas(spec);
    default:
      throw new UsageError(
        `no beta schedule is called "${String((spec satisfies never as { kind: unknown }).kind)}"; there are: linear, scaled-linear, cosine`,
      );
  }
}

/** Betas equally spaced from start to end. Source: Ho et al. 2020 (arXiv:2006.11239), section 4. */
export function linearBetas({
  count = 1000,
  start = 1e-4,
  end = 0.02,
}: Omit<LinearBetas, "kind"> = {}): Float64Array {
  checkRange(count, start, end);
  return Float64Array.from({ length: count }, (_, i) => between(start, end, i, count));
}

/** Betas whose square roots are equally spaced. Source: Rombach et al. 2022 (arXiv:2112.10752), the schedule of Stable Diffusion. */
export function scaledLinearBetas({
  count = 1000,
  start = 0.00085,
  end = 0.012,
}: Omit<ScaledLinearBetas, "kind"> = {}): Float64Array {
  checkRange(count, start, end);
  return Float64Array.from(
    { length: count },
    (_, i) => between(Math.sqrt(start), Math.sqrt(end), i, count) ** 2,
  );
}

/**
 * Betas with abar_i = f(i + 1) / f(0), f(i) = cos((i / count + offset) / (1 + offset) * pi / 2)^2, each at most max.
 * Source: Nichol & Dhariwal 2021 (arXiv:2102.09672), Eq. 17.
 */
export function cosineBetas({
  count = 1000,
  offset = 0.008,
  max = 0.999,
}: Omit<CosineBetas, "kind"> = {}): Float64Array {
  checkRange(count, max, max);
  if (!(offset >= 0)) throw new UsageError(`the offset of a cosine schedule is at least 0, got ${offset}`);
  const f = (i: number) => Math.cos((((i / count + offset) / (1 + offset)) * Math.PI) / 2) ** 2;
  return Float64Array.from({ length: count }, (_, i) => Math.min(1 - f(i + 1) / f(i), max));
}

/** abar_i = product over j <= i of (1 - beta_j): the share of x_i's variance that is signal when x0 has variance 1. */
export function alphaBars(betas: ArrayLike<number>): Float64Array {
  const out = new Float64Array(betas.length);
  for (let i = 0, product = 1; i < out.length; i++) out[i] = product *= 1 - betas[i];
  return out;
}

/** Noise level of each timestep, ascending: sigma_i = sqrt((1 - abar_i) / abar_i), so that x_i / sqrt(abar_i) = x0 + sigma_i noise. */
export function timestepSigmas(betas: ArrayLike<number>): Float64Array {
  return alphaBars(betas).map((abar) => Math.sqrt((1 - abar) / abar));
}

/** The noise level at a timestep, which may be fractional: ln sigma is linear between timesteps. Cut to the table's ends. */
export function sigmaOfTimestep(table: Float64Array, timestep: number): number {
  const t = Math.min(Math.max(timestep, 0), table.length - 1);
  const i = Math.floor(t);
  if (i === t) return table[i];
  const w = t - i;
  return Math.exp((1 - w) * Math.log(table[i]) + w * Math.log(table[i + 1]));
}

/** The (fractional) timestep of a noise level, inverse of `sigmaOfTimestep`. A sigma outside the table gives its first or last timestep. */
export function timestepOfSigma(table: Float64Array, sigma: number): number {
  const last = table.length - 1;
  if (!(sigma > table[0])) return 0;
  if (sigma >= table[last]) return last;
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (table[middle] <= sigma) low = middle;
    else high = middle;
  }
  return low + Math.log(sigma / table[low]) / Math.log(table[high] / table[low]);
}

function between(start: number, end: number, i: number, count: number): number {
  return count === 1 ? start : start + ((end - start) * i) / (count - 1);
}

function checkRange(count: number, ...values: readonly number[]): void {
  if (!Number.isInteger(count) || count < 1)
    throw new UsageError(`a beta schedule has a whole number of timesteps, 1 or more, got ${count}`);
  for (const value of values) {
    if (!(value > 0 && value < 1))
      throw new UsageError(`a beta lies between 0 and 1 (both excluded), got ${value}`);
  }
}
