import type { Tensor } from "../../base/tensor.ts";
import { scale } from "../../base/tensor.ts";
import { variancePreserving } from "../parameterisation.ts";
import type { SamplerOptions } from "./sampler.ts";

/**
 * The integer timesteps of a discrete schedule, for samplers whose published code counts in them and not in the grid's noise levels:
 * a step goes from timestep t to t - stride, also where the next kept timestep is another one.
 */
export interface Timesteps {
  /** The timestep of each step's beginning, descending: one less than the grid has values. */
  readonly values: readonly number[];
  /** What a step subtracts: the schedule's timesteps divided by the steps, rounded down. */
  readonly stride: number;
  /** The noise level of a timestep; of a negative one, the level at which the schedule ends. */
  readonly sigmaOf: (timestep: number) => number;
}

/** Options of a sampler that can count in timesteps. */
export interface TimestepOptions extends SamplerOptions {
  /** Counts in these timesteps as the implementation in diffusers does. Default: the grid alone says where steps begin and end. */
  readonly timesteps?: Timesteps;
}

/**
 * A sample of noise level `at` taken for one of level `as`, as happens where a step ends at t - stride and the next one begins at
 * another timestep. It is the variance-preserving sample, x / sqrt(1 + sigma^2), that stays as it is.
 */
export function takenFor(x: Tensor, at: number, as: number): Tensor {
  if (at === as) return x;
  return scale(variancePreserving(at).alpha / variancePreserving(as).alpha, x);
}
