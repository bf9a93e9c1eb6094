import { alphaBars, betas } from "../betas.ts";
import type { BetasSpec } from "../betas.ts";

/** The keys of a config that say its betas. */
export interface BetaKeys {
  readonly num_train_timesteps: number;
  readonly beta_schedule: "linear" | "scaled_linear" | "squaredcos_cap_v2" | "sigmoid" | "laplace";
  readonly beta_start: number;
  readonly beta_end: number;
  readonly trained_betas?: readonly number[] | null;
  readonly rescale_betas_zero_snr?: boolean;
}

/** The betas of a config, as our own kind of data. */
export function betasSpec(config: BetaKeys): BetasSpec {
  const { num_train_timesteps: count, beta_start: start, beta_end: end } = config;
  const zeroSnr = config.rescale_betas_zero_snr === true;
  if (config.trained_betas) return { kind: "given", values: config.trained_betas, zeroSnr };
  switch (config.beta_schedule) {
    case "linear":
      return { kind: "linear", count, start, end, zeroSnr };
    case "scaled_linear":
      return { kind: "scaled-linear", count, start, end, zeroSnr };
    case "squaredcos_cap_v2":
      return { kind: "cosine", count, zeroSnr };
    case "sigmoid":
      return { kind: "sigmoid", count, start, end, zeroSnr };
    case "laplace":
      return { kind: "laplace", count, zeroSnr };
  }
}

/** What classes that divide by the last abar put there under zero terminal SNR: the smallest number of float16. */
const SMALLEST_ABAR = 2 ** -24;

/** abar of every timestep. `dividesByLast`: the last one is 2^-24 where zero terminal SNR makes it 0. */
export function abarsOf(config: BetaKeys, dividesByLast = false): Float64Array {
  const abars = alphaBars(betas(betasSpec(config)));
  if (dividesByLast && config.rescale_betas_zero_snr) abars[abars.length - 1] = SMALLEST_ABAR;
  return abars;
}
