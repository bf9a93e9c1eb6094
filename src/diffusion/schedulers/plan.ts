import { UsageError } from "../../base/errors.ts";
import type { SamplerName } from "../samplers/index.ts";
import type { Sigmas } from "../sigmas.ts";

/** What a run is asked for. Either `steps`, or where the class takes them `timesteps` or `sigmas` of one's own. */
export interface PlanRequest {
  /** Number of steps (num_inference_steps), a whole number from 1 on. */
  readonly steps?: number;
  /** Timesteps, highest first. */
  readonly timesteps?: readonly number[];
  /** The class's own sigmas, highest first: Euler's with the final 0; flow classes' before their shift, without it. */
  readonly sigmas?: readonly number[];
  /** Flow classes with use_dynamic_shifting: the shift is e^mu (or mu, time_shift_type "linear"). */
  readonly mu?: number;
  /** LCM and TCD: the share of the grid, from its clean end, that is used; above 0, at most 1. Default 1. */
  readonly strength?: number;
  /** Options of the sampler, by its own names, for example { eta: 0.5 } or { churn: 2 }: they come over the config's. */
  readonly samplerOptions?: Readonly<Record<string, unknown>>;
}

/** Where the network is called in a run. */
export interface Call {
  /** What the network is told. */
  readonly timestep: number;
  /** VE noise level there: noise over signal. */
  readonly sigma: number;
  /** The sampler's step that it belongs to, where two steps call the network at one level and tell it different times. */
  readonly step?: number;
}

/** A schedule and a sampler: everything about a run that does not depend on the network. */
export interface SchedulerPlan {
  /** What the network is told, one entry a call. */
  readonly timesteps: readonly number[];
  /** The class's own table of noise levels, with its repetitions; null where the class has none. */
  readonly table: readonly number[] | null;
  /** Standard deviation of the class's own first state. */
  readonly initNoiseSigma: number;
  /** The calls of the network, in order; as many as timesteps. */
  readonly calls: readonly Call[];
  /** The grid for the sampler: VE noise levels, the last 0 or above. */
  readonly sigmas: Sigmas;
  readonly sampler: SamplerName;
  /** Without `noise`. */
  readonly samplerOptions: Readonly<Record<string, unknown>>;
}

/** More steps are a mistake in writing. */
const MOST_STEPS = 100_000;

/** The number of steps of a request that gives no list of its own. Throws UsageError unless it is a whole number from 1 to 100,000. */
export function stepsOf({ steps }: PlanRequest, what: string): number {
  if (steps === undefined)
    throw new UsageError(`a run of ${what} wants a number of steps, as in { steps: 25 }`);
  if (!Number.isInteger(steps) || steps < 1 || steps > MOST_STEPS)
    throw new UsageError(`steps is a whole number from 1 to ${MOST_STEPS}, got ${steps}`);
  return steps;
}

/** Throws UsageError where the request has a key that the class does not take. */
export function checkRequest(
  request: PlanRequest,
  what: string,
  lists: readonly ("timesteps" | "sigmas" | "mu" | "strength")[],
): void {
  for (const key of ["timesteps", "sigmas", "mu", "strength"] as const) {
    if (request[key] !== undefined && !lists.includes(key)) {
      const known = ["steps", ...lists, "samplerOptions"];
      throw new UsageError(`a run of ${what} takes no ${key}; it takes ${known.join(", ")}`);
    }
  }
  if (request.timesteps && request.sigmas)
    throw new UsageError("a run has timesteps or sigmas of its own, not both");
  for (const key of ["timesteps", "sigmas"] as const) {
    const list = request[key];
    if (list === undefined) continue;
    if (request.steps !== undefined && request.steps !== list.length)
      throw new UsageError(`a run with ${key} of its own has as many steps as they are: leave steps out`);
    if (list.length === 0 || list.length > MOST_STEPS || !list.every(Number.isFinite))
      throw new UsageError(`${key} is a list of numbers, from 1 to ${MOST_STEPS} of them`);
  }
  const { mu, strength } = request;
  if (mu !== undefined && !(Math.abs(mu) < 100)) throw new UsageError(`mu is a number below 100, got ${mu}`);
  if (strength !== undefined && !(strength > 0 && strength <= 1))
    throw new UsageError(`strength is a number above 0, at most 1, got ${strength}`);
}
