/** Plans of the classes that step from timestep to timestep: DDPM, DDIM, PNDM, LCM and TCD. */
import { UsageError } from "../../base/errors.ts";
import { abarSigma } from "../betas.ts";
import { roundHalfEven } from "../sigmas.ts";
import { abarsOf } from "./betaTable.ts";
import type { ConfigOf } from "./config.ts";
import type { PlanRequest, SchedulerPlan } from "./plan.ts";
import { checkRequest, stepsOf } from "./plan.ts";
import { spacedTimesteps } from "./spacing.ts";

const VARIANCES = {
  fixed_small: "small",
  fixed_small_log: "small",
  fixed_large: "large",
  fixed_large_log: "large",
  learned_range: "learned",
} as const;

/** DDPM's ancestral steps. Takes timesteps of one's own. */
export function planDdpm(config: ConfigOf<"DDPMScheduler">, request: PlanRequest): SchedulerPlan {
  checkRequest(request, config._class_name, ["timesteps"]);
  const timesteps = request.timesteps ?? placed(config, stepsOf(request, config._class_name));
  const sigmaOf = levels(config, timesteps, 0);
  return plan(timesteps, [...timesteps.map(sigmaOf), 0], {
    sampler: "ddpm",
    samplerOptions: {
      variance: VARIANCES[config.variance_type],
      noiseAtEnd: timesteps[timesteps.length - 1] > 0 ? "as-before" : "none",
      ...request.samplerOptions,
    },
  });
}

/** DDIM, whose step goes to t - floor(N/n), whatever timestep comes next. */
export function planDdim(config: ConfigOf<"DDIMScheduler">, request: PlanRequest): SchedulerPlan {
  checkRequest(request, config._class_name, []);
  const steps = stepsOf(request, config._class_name);
  const values = placed(config, steps);
  const stride = Math.floor(config.num_train_timesteps / steps);
  const sigmaOf = levels(config, values, config.set_alpha_to_one ? 0 : undefined);
  const end = sigmaOf(values[values.length - 1] - stride);
  return plan(values, [...values.map(sigmaOf), end], {
    sampler: "ddim",
    samplerOptions: { timesteps: { values, stride, sigmaOf }, ...request.samplerOptions },
  });
}

/** PNDM, with its Runge-Kutta start (from 4 steps on) or the short one (skip_prk_steps), which calls the network once more. */
export function planPndm(config: ConfigOf<"PNDMScheduler">, request: PlanRequest): SchedulerPlan {
  checkRequest(request, config._class_name, []);
  const steps = stepsOf(request, config._class_name);
  if (!config.skip_prk_steps && steps < 4)
    throw new UsageError(`PNDM's Runge-Kutta start takes 4 steps or more, got ${steps}`);
  const values = placed(config, steps);
  const stride = Math.floor(config.num_train_timesteps / steps);
  const half = Math.floor(stride / 2);
  const called = config.skip_prk_steps
    ? [...values.slice(0, 2), ...values.slice(1)]
    : [
        ...[0, 1, 2].flatMap((k) => {
          const next = values[k + 1];
          return [values[k], next + half, next + half, next];
        }),
        ...values.slice(3),
      ];
  const sigmaOf = levels(config, called, config.set_alpha_to_one ? 0 : undefined);
  const end = sigmaOf(values[values.length - 1] - stride);
  const made = plan(called, [...values.map(sigmaOf), end], {
    sampler: "pndm",
    samplerOptions: {
      start: config.skip_prk_steps ? "heun" : "runge-kutta",
      space: config.prediction_type === "v_prediction" ? "v" : "eps",
      timesteps: { values, stride, sigmaOf },
      ...request.samplerOptions,
    },
  });
  return { ...made, calls: called.map((timestep) => ({ timestep, sigma: sigmaOf(timestep) })) };
}

/** LCM: every step predicts x0 and renews all noise. Takes timesteps of one's own, and strength. */
export function planLcm(config: ConfigOf<"LCMScheduler">, request: PlanRequest): SchedulerPlan {
  const timesteps = consistencyTimesteps(config, request);
  const sigmaOf = levels(config, timesteps, 0);
  return plan(timesteps, [...timesteps.map(sigmaOf), 0], {
    sampler: "lcm",
    samplerOptions: { ...request.samplerOptions },
  });
}

/** TCD, which ends at timestep 0, not at no noise. Takes timesteps of one's own, and strength. */
export function planTcd(config: ConfigOf<"TCDScheduler">, request: PlanRequest): SchedulerPlan {
  const values = consistencyTimesteps(config, request);
  const sigmaOf = levels(config, values, undefined);
  return plan(values, [...values.map(sigmaOf), sigmaOf(0)], {
    sampler: "tcd",
    samplerOptions: { timesteps: { values, stride: 0, sigmaOf }, ...request.samplerOptions },
  });
}

/**
 * n of the grid that the network was distilled on: of k i - 1, k = floor(N / original), i = 1 ... floor(original * strength), taken from
 * the noisy end, entries floor(j L / n), L the length of the grid.
 */
function consistencyTimesteps(
  config: ConfigOf<"LCMScheduler"> | ConfigOf<"TCDScheduler">,
  request: PlanRequest,
): readonly number[] {
  checkRequest(request, config._class_name, ["timesteps", "strength"]);
  const { strength = 1 } = request;
  if (request.timesteps) {
    const kept = Math.floor(request.timesteps.length * strength);
    if (kept === 0)
      throw new UsageError(`strength ${strength} leaves none of ${request.timesteps.length} timesteps`);
    return request.timesteps.slice(request.timesteps.length - kept);
  }
  const steps = stepsOf(request, config._class_name);
  const { num_train_timesteps: count, original_inference_steps: original } = config;
  const gap = Math.floor(count / original);
  const length = Math.floor(original * strength);
  if (steps > length) {
    throw new UsageError(
      `${config._class_name} has ${length} timesteps to choose from (original_inference_steps times strength), fewer than ${steps} steps`,
    );
  }
  return Array.from({ length: steps }, (_, j) => gap * (length - Math.floor(j * (length / steps))) - 1);
}

/** The class's timesteps for a number of steps. */
function placed(
  config: ConfigOf<"DDPMScheduler"> | ConfigOf<"DDIMScheduler"> | ConfigOf<"PNDMScheduler">,
  steps: number,
): number[] {
  const { timestep_spacing: spacing, num_train_timesteps: count, steps_offset: offset } = config;
  if (steps > count)
    throw new UsageError(`${config._class_name} has ${count} timesteps, fewer than ${steps} steps`);
  return spacedTimesteps({ spacing, steps, count, offset }).map(roundHalfEven);
}

/**
 * The noise level of a timestep; below 0 it is `end`, or that of timestep 0 where `end` is undefined.
 * Throws UsageError where a timestep of the run is none of the schedule's.
 */
function levels(
  config: Parameters<typeof abarsOf>[0] & { readonly _class_name: string },
  timesteps: readonly number[],
  end: number | undefined,
): (timestep: number) => number {
  const table = abarsOf(config).map(abarSigma);
  const wrong = timesteps.find((t) => !Number.isInteger(t) || t < 0 || t >= table.length);
  if (wrong !== undefined) {
    throw new UsageError(
      `a run of ${config._class_name} has timestep ${wrong}, but timesteps go from 0 to ${table.length - 1}: take another number of steps`,
    );
  }
  return (t) => (t < 0 ? (end ?? table[0]) : table[t]);
}

function plan(
  timesteps: readonly number[],
  sigmas: readonly number[],
  rest: Pick<SchedulerPlan, "sampler" | "samplerOptions">,
): SchedulerPlan {
  const calls = timesteps.map((timestep, i) => ({ timestep, sigma: sigmas[i] }));
  return { timesteps, table: null, initNoiseSigma: 1, calls, sigmas, ...rest };
}
