import { UsageError } from "../base/errors.ts";

/**
 * Discrete noise schedules of DDPM's kind: betas[i] is the variance added at timestep i, 0 <= i < count, in
 * x_i = sqrt(1 - beta_i) x_{i-1} + sqrt(beta_i) noise. Timesteps count from 0 as in every released model; a paper's t is i + 1.
 */
export type BetasSpec = (
  LinearBetas | ScaledLinearBetas | CosineBetas | SigmoidBetas | LaplaceBetas | GivenBetas
) & {
  /** Whether the betas are changed so that nothing of x0 is left at the last timestep (see `rescaleZeroSnr`). Default false. */
  readonly zeroSnr?: boolean;
};

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

export interface SigmoidBetas {
  readonly kind: "sigmoid";
  /** Number of timesteps. Default 1000. */
  readonly count?: number;
  /** The beta that the lower end of the curve tends to, in (0, 1). Default 1e-4. */
  readonly start?: number;
  /** The beta that the upper end of the curve tends to, in (0, 1). Default 0.02. */
  readonly end?: number;
}

export interface LaplaceBetas {
  readonly kind: "laplace";
  /** Number of timesteps. Default 1000. */
  readonly count?: number;
  /** Every beta is cut to this, in (0, 1). Default 0.999. */
  readonly max?: number;
}

export interface GivenBetas {
  readonly kind: "given";
  /** The betas themselves, each above 0 and at most 1. */
  readonly values: readonly number[];
}

/**
 * The noise level that stands for noise alone, where nothing of x0 is left (abar = 0, or t = 1 on a straight path) and sigma would
 * be infinite: x0 keeps a share of 1e-8 of x, below what a Float32Array can tell apart from none.
 */
export const NOISE_ALONE = 1e8;

/** The betas of a schedule given as data, for example { kind: "linear", count: 1000 }. Throws UsageError on an unknown kind. */
export function betas(spec: BetasSpec): Float64Array {
  const plain = plainBetas(spec);
  return spec.zeroSnr ? rescaleZeroSnr(plain) : plain;
}

function plainBetas(spec: BetasSpec): Float64Array {
  switch (spec.kind) {
    case "linear":
      return linearBetas(spec);
    case "scaled-linear":
      return scaledLinearBetas(spec);
    case "cosine":
      return cosineBetas(spec);
    case "sigmoid":
      return sigmoidBetas(spec);
    case "laplace":
      return laplaceBetas(spec);
    case "given":
      return givenBetas(spec);
    default:
      throw new UsageError(
        `no beta schedule is called "${String((spec satisfies never as { kind: unknown }).kind)}"; there are: linear, scaled-linear, cosine, sigmoid, laplace, given`,
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

/** Betas on a logistic curve: start + (end - start) / (1 + exp(-u)), u equally spaced from -6 to 6. Source: GeoDiff (arXiv:2203.02923), code. */
export function sigmoidBetas({
  count = 1000,
  start = 1e-4,
  end = 0.02,
}: Omit<SigmoidBetas, "kind"> = {}): Float64Array {
  checkRange(count, start, end);
  const logistic = (u: number) => 1 / (1 + Math.exp(-u));
  return Float64Array.from(
    { length: count },
    (_, i) => start + (end - start) * logistic(between(-6, 6, i, count)),
  );
}

/**
 * Betas whose log signal-to-noise ratios follow a Laplace distribution: abar_i proportional to f(i + 1) as in `cosineBetas`, with
 * f(i)^2 = 1 / (1 + e^-L), L = -sign(1/2 - u) ln(1 - 2 |1/2 - u| + 1e-6) / 2 and u = i / count; each beta at most max.
 * Source: Hang et al. 2024 (arXiv:2407.03297), table 1, with mu = 0 and b = 1/2.
 */
export function laplaceBetas({ count = 1000, max = 0.999 }: Omit<LaplaceBetas, "kind"> = {}): Float64Array {
  checkRange(count, max, max);
  const f = (i: number) => {
    const u = 0.5 - i / count;
    const logSnr = (u < 0 ? 0.5 : -0.5) * Math.log(1 - 2 * Math.abs(u) + 1e-6);
    return Math.sqrt(1 / (1 + Math.exp(-logSnr)));
  };
  return Float64Array.from({ length: count }, (_, i) => Math.min(1 - f(i + 1) / f(i), max));
}

/** A list of betas as a schedule. Throws UsageError unless each is above 0 and at most 1. */
export function givenBetas({ values }: Omit<GivenBetas, "kind">): Float64Array {
  if (values.length === 0) throw new UsageError("a list of betas has at least one");
  values.forEach((beta, i) => {
    if (!(beta > 0 && beta <= 1))
      throw new UsageError(`beta ${i} is ${beta}: a beta is above 0 and at most 1`);
  });
  return Float64Array.from(values);
}

/**
 * Betas shifted and scaled so that nothing of x0 is left at the last timestep (abar = 0, its beta is 1) and the first keeps its abar:
 * with r = sqrt(abar), r'_i = (r_i - r_last) r_0 / (r_0 - r_last). Networks for it predict v or x0, not the noise.
 * Throws UsageError on less than two betas. Source: Lin et al. 2023 (arXiv:2305.08891), Algorithm 1.
 */
export function rescaleZeroSnr(betas: ArrayLike<number>): Float64Array {
  if (betas.length < 2)
    throw new UsageError(`zero terminal SNR wants two betas or more, got ${betas.length}`);
  const r = alphaBars(betas).map(Math.sqrt);
  const [first, last] = [r[0], r[r.length - 1]];
  const abars = r.map((one) => (((one - last) * first) / (first - last)) ** 2);
  return abars.map((abar, i) => 1 - (i === 0 ? abar : abar / abars[i - 1]));
}

/** abar_i = product over j <= i of (1 - beta_j): the share of x_i's variance that is signal when x0 has variance 1. */
export function alphaBars(betas: ArrayLike<number>): Float64Array {
  const out = new Float64Array(betas.length);
  for (let i = 0, product = 1; i < out.length; i++) out[i] = product *= 1 - betas[i];
  return out;
}

/**
 * Noise level of each timestep, ascending: sigma_i = sqrt((1 - abar_i) / abar_i), so that x_i / sqrt(abar_i) = x0 + sigma_i noise.
 * At most `NOISE_ALONE`, which stands for abar = 0.
 */
export function timestepSigmas(betas: ArrayLike<number>): Float64Array {
  return alphaBars(betas).map(abarSigma);
}

/** The noise level sqrt((1 - abar) / abar), at most `NOISE_ALONE`. */
export function abarSigma(abar: number): number {
  return Math.min(Math.sqrt((1 - abar) / abar), NOISE_ALONE);
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
