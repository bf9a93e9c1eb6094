/**
 * Plans of the classes that keep x = x0 + sigma noise: LMS, Euler, Euler ancestral, Heun, KDPM2, KDPM2 ancestral and DPMSolverSDE. Their
 * tables are rounded to float32, as the classes store them.
 */
import { UsageError } from "../../base/errors.ts";
import { abarSigma } from "../betas.ts";
import { abarsOf } from "./betaTable.ts";
import type { ConfigOf } from "./config.ts";
import type { CurveKeys } from "./curves.ts";
import { curveOf, interpolated, onCurve, timesOf } from "./curves.ts";
import type { Call, PlanRequest, SchedulerPlan } from "./plan.ts";
import { checkRequest, stepsOf } from "./plan.ts";
import { roundHalfEven } from "../sigmas.ts";
import { linspace, spacedTimesteps } from "./spacing.ts";

type SigmaConfig = ConfigOf<
  | "LMSDiscreteScheduler"
  | "EulerDiscreteScheduler"
  | "EulerAncestralDiscreteScheduler"
  | "HeunDiscreteScheduler"
  | "KDPM2DiscreteScheduler"
  | "KDPM2AncestralDiscreteScheduler"
  | "DPMSolverSDEScheduler"
>;

/** LMS: linear multistep, of order 4 unless the request says otherwise. */
export function planLms(config: ConfigOf<"LMSDiscreteScheduler">, request: PlanRequest): SchedulerPlan {
  return singleCalls(config, grid(config, request), "lms", { ...request.samplerOptions });
}

/** The kind of output that Euler keeps where churn makes x noisier, by prediction type. */
const KEPT = { epsilon: "eps", v_prediction: "v", sample: "x0" } as const;

/** Euler, with churn by the sampler's options. Takes timesteps or sigmas (with the final 0) of one's own. */
export function planEuler(config: ConfigOf<"EulerDiscreteScheduler">, request: PlanRequest): SchedulerPlan {
  const isOwn = request.timesteps !== undefined || request.sigmas !== undefined;
  checkRequest(request, config._class_name, ["timesteps", "sigmas"]);
  if (isOwn && request.timesteps && (curveOf(config) || isContinuous(config)))
    throw new UsageError(
      "Euler takes no timesteps of one's own where its sigmas follow a curve or are continuous",
    );
  const { sigmas, times, end } = request.sigmas
    ? ownSigmas(config, request.sigmas)
    : grid(config, request, ["timesteps", "sigmas"]);
  const told = isContinuous(config) ? sigmas.map((sigma) => Math.log(Math.fround(sigma)) / 4) : times;
  const made = singleCalls(config, { sigmas, times: told, end }, "euler", { ...request.samplerOptions });
  // The class shares churn out over the length of its table, which may hold one value more than the steps visit.
  const { churn } = made.samplerOptions;
  return {
    ...made,
    samplerOptions: {
      churnOutput: KEPT[config.prediction_type],
      ...made.samplerOptions,
      ...(typeof churn === "number" ? { churn: (churn * told.length) / (made.table!.length - 1) } : {}),
    },
  };
}

export function planEulerAncestral(
  config: ConfigOf<"EulerAncestralDiscreteScheduler">,
  request: PlanRequest,
): SchedulerPlan {
  return singleCalls(config, grid(config, request), "euler-ancestral", { ...request.samplerOptions });
}

/** Heun. Takes timesteps of one's own. */
export function planHeun(config: ConfigOf<"HeunDiscreteScheduler">, request: PlanRequest): SchedulerPlan {
  if (request.timesteps && curveOf(config))
    throw new UsageError("Heun takes no timesteps of one's own where its sigmas follow a curve");
  return doubleCalls(config, grid(config, request, ["timesteps"]), "heun", "end", request);
}

export function planKdpm2(config: ConfigOf<"KDPM2DiscreteScheduler">, request: PlanRequest): SchedulerPlan {
  return doubleCalls(config, grid(config, request), "dpm2", "middle", request);
}

export function planKdpm2Ancestral(
  config: ConfigOf<"KDPM2AncestralDiscreteScheduler">,
  request: PlanRequest,
): SchedulerPlan {
  return doubleCalls(config, grid(config, request), "dpm2-ancestral", "ancestral middle", request);
}

export function planDpmSde(config: ConfigOf<"DPMSolverSDEScheduler">, request: PlanRequest): SchedulerPlan {
  return doubleCalls(config, grid(config, request), "dpmpp-sde", "middle", request);
}

interface Grid {
  /** One a step. */
  readonly sigmas: readonly number[];
  readonly times: readonly number[];
  /** What is appended. */
  readonly end: number;
}

function grid(config: SigmaConfig, request: PlanRequest, own: Parameters<typeof checkRequest>[2] = []): Grid {
  checkRequest(request, config._class_name, own);
  const table = levelsOf(config);
  const steps = request.timesteps?.length ?? stepsOf(request, config._class_name);
  const { timestep_spacing: spacing, num_train_timesteps: count, steps_offset: offset } = config;
  const times = request.timesteps ?? spacedTimesteps({ spacing, steps, count, offset });
  const end = "final_sigmas_type" in config && config.final_sigmas_type === "sigma_min" ? table[0] : 0;
  const isLogLinear = "interpolation_type" in config && config.interpolation_type === "log_linear";
  const plain = isLogLinear
    ? linspace(Math.log(table[table.length - 1]), Math.log(table[0]), steps + 1).map(Math.exp)
    : times.map((t) => interpolated(table, t));
  const curve = curveOf(config as CurveKeys);
  if (curve === undefined) return { sigmas: plain, times, end };

  // The curve runs between the ends of the plain list, or between those of the config.
  const max = ("sigma_max" in config ? config.sigma_max : null) ?? plain[0];
  const min = ("sigma_min" in config ? config.sigma_min : null) ?? plain[plain.length - 1];
  const sigmas = onCurve(curve, steps, max, min);
  return { sigmas, times: timesOf(sigmas, table), end };
}

function ownSigmas(config: ConfigOf<"EulerDiscreteScheduler">, given: readonly number[]): Grid {
  const sigmas = given.slice(0, -1).map(Math.fround);
  if (sigmas.length === 0) throw new UsageError("sigmas of one's own are two or more, the last one 0");
  return { sigmas, times: timesOf(sigmas, levelsOf(config)), end: given[given.length - 1] };
}

function levelsOf(config: SigmaConfig): Float64Array {
  return abarsOf(config, true).map(abarSigma);
}

function isContinuous(config: ConfigOf<"EulerDiscreteScheduler">): boolean {
  return config.timestep_type === "continuous" && config.prediction_type === "v_prediction";
}

/** Classes with one call a step. A table may be longer than its steps visit ("log_linear"). */
function singleCalls(
  config: SigmaConfig,
  { sigmas, times, end }: Grid,
  sampler: SchedulerPlan["sampler"],
  samplerOptions: Readonly<Record<string, unknown>>,
): SchedulerPlan {
  const table = [...sigmas, end].map(Math.fround);
  const timesteps = times.map(Math.fround);
  const calls = timesteps.map((timestep, i) => ({ timestep, sigma: table[i] }));
  return {
    timesteps,
    table,
    initNoiseSigma: initNoiseSigma(config, table),
    calls,
    sigmas: table.slice(0, times.length + 1),
    sampler,
    samplerOptions,
  };
}

/** Classes with a second call in every step but the last: at the step's end, or at a level between. */
function doubleCalls(
  config: SigmaConfig,
  { sigmas, times, end }: Grid,
  sampler: SchedulerPlan["sampler"],
  second: "end" | "middle" | "ancestral middle",
  request: PlanRequest,
): SchedulerPlan {
  const levels = [...sigmas, end].map(Math.fround);
  const known = levelsOf(config);
  const rounds = "use_karras_sigmas" in config && config.use_karras_sigmas && sampler.startsWith("dpm2");
  // Heun keeps its times in float32, the others in float64.
  const told = rounds ? times.map(roundHalfEven) : second === "end" ? times.map(Math.fround) : times;
  const calls = told.flatMap((timestep, i): Call[] => {
    const begin = { timestep, sigma: levels[i], step: i };
    if (i === told.length - 1) return [begin];
    if (second === "end") return [begin, { timestep: told[i + 1], sigma: levels[i + 1], step: i }];
    const to = second === "middle" ? levels[i + 1] : levels[i + 1] ** 2 / levels[i];
    const sigma = Math.sqrt(levels[i] * to);
    return [begin, { timestep: timesOf([sigma], known)[0], sigma, step: i }];
  });
  const [first, last] = [levels[0], levels[levels.length - 1]];
  const repeated = levels.slice(1, -1).flatMap((sigma) => [sigma, sigma]);
  const ends = sampler.startsWith("dpm2") ? [last, last, last] : [last];
  const table = [first, ...repeated, ...ends];
  return {
    timesteps: calls.map(({ timestep }) => timestep),
    table,
    initNoiseSigma: initNoiseSigma(config, table),
    calls,
    sigmas: levels,
    sampler,
    samplerOptions: { ...request.samplerOptions },
  };
}

/** The largest noise level of the table; of "leading" with the signal's unit variance added. */
function initNoiseSigma(config: SigmaConfig, table: readonly number[]): number {
  const max = table.reduce((a, b) => Math.max(a, b));
  return config.timestep_spacing === "leading" ? Math.sqrt(max * max + 1) : max;
}
