import { type Tensor, scale } from "../base/tensor.ts";
import type { Evaluate } from "../diffusion/denoiser.ts";
import { type Sampler, samplerByName } from "../diffusion/samplers/index.ts";
import { scheduledSigmas } from "../diffusion/schedules.ts";
import { schedulerFromConfig } from "../diffusion/schedulers/scheduler.ts";
import type { Sigmas } from "../diffusion/sigmas.ts";
import type { Sampling } from "./bundle.ts";

/** Which steps a sampling takes, and how predictions are treated on the way. */
export interface SamplingPlan {
  readonly sampler: Sampler;
  readonly options: Readonly<Record<string, unknown>>;
  readonly sigmas: Sigmas;
  /** The first x, from one with noise of sigmas[0]. */
  start(x: Tensor): Tensor;
  /** Predictions as the sampler takes them. */
  limit(evaluate: Evaluate): Evaluate;
}

/** What comes over a sampling. */
export interface PlanOptions {
  /** A scheduler_config.json of diffusers, as text or as a value. */
  readonly scheduler?: unknown;
  readonly samplerOptions?: Readonly<Record<string, unknown>>;
}

/**
 * The steps of a sampling: a sampler over a schedule, or what a scheduler_config.json of diffusers says.
 * Throws UsageError for names and numbers that there are not, FileError for a config that is none.
 */
export function samplingPlan(sampling: Sampling, options: PlanOptions): SamplingPlan {
  if (options.scheduler === undefined) {
    return {
      sampler: samplerByName(sampling.sampler),
      options: options.samplerOptions ?? {},
      sigmas: scheduledSigmas(sampling),
      start: (x) => x,
      limit: (evaluate) => evaluate,
    };
  }
  const scheduler = schedulerFromConfig(options.scheduler);
  const plan = scheduler.plan({ steps: sampling.steps, samplerOptions: options.samplerOptions });
  const [first] = plan.sigmas;
  // Classes that scale their start (leading spacing: sqrt(sigma^2 + 1)) do so to noise; x0 in it, where there is any, is negligible.
  const factor = plan.initNoiseSigma / (scheduler.level(first).alpha * first);
  return {
    sampler: samplerByName(plan.sampler),
    options: plan.samplerOptions,
    sigmas: plan.sigmas,
    start: (x) => (sampling.start === "noise" ? scale(factor, x) : x),
    limit: (evaluate) => scheduler.limit(evaluate, plan),
  };
}
