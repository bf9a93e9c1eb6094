import { timestepOfSigma } from "../betas.ts";
import { betaSpaced, exponential, karras } from "../sigmas.ts";

/** The keys of a config that choose a curve of noise levels. */
export interface CurveKeys {
  readonly use_karras_sigmas?: boolean;
  readonly use_exponential_sigmas?: boolean;
  readonly use_beta_sigmas?: boolean;
  readonly use_lu_lambdas?: boolean;
}

export type Curve = "karras" | "lu" | "exponential" | "beta";

/** The curve that a config asks for; undefined: the schedule's own noise levels. */
export function curveOf(config: CurveKeys): Curve | undefined {
  if (config.use_karras_sigmas) return "karras";
  if (config.use_lu_lambdas) return "lu";
  if (config.use_exponential_sigmas) return "exponential";
  return config.use_beta_sigmas ? "beta" : undefined;
}

/** `steps` noise levels from max to min on a curve, without a final 0. "lu" is equally spaced in lambda, the same as exponential. */
export function onCurve(curve: Curve, steps: number, max: number, min: number, rho = 7): number[] {
  if (steps === 1) return [max];
  const range = { steps, max, min };
  switch (curve) {
    case "karras":
      return karras({ ...range, rho }).slice(0, -1);
    case "lu":
    case "exponential":
      return exponential(range).slice(0, -1);
    case "beta":
      return betaSpaced(range).slice(0, -1);
  }
}

/** The (fractional) timestep of each noise level, ln sigma being linear between the table's entries. */
export function timesOf(sigmas: readonly number[], table: Float64Array): number[] {
  return sigmas.map((sigma) => timestepOfSigma(table, sigma));
}

/** The table's entry at a (fractional) timestep, sigma being linear between entries; cut to the table's ends. */
export function interpolated(table: Float64Array, timestep: number): number {
  const t = Math.min(Math.max(timestep, 0), table.length - 1);
  const i = Math.min(Math.floor(t), table.length - 2);
  return i < 0 ? table[0] : table[i] + (t - i) * (table[i + 1] - table[i]);
}
