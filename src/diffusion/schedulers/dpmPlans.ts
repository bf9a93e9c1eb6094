/**
 * Plans of the DPM family: DPMSolverMultistep, DPMSolverSinglestep, UniPC and DEIS. Their tables hold noise over signal, or with
 * use_flow_sigmas the time of a straight path, rounded to float32, as the classes store them; timesteps are integers.
 */
import { UsageError } from "../../base/errors.ts";
import { abarSigma } from "../betas.ts";
import { dynamicShift, flowSigma, shiftTime, stretchToTerminal } from "../flowSigmas.ts";
import { roundHalfEven } from "../sigmas.ts";
import { abarsOf } from "./betaTable.ts";
import type { ConfigOf } from "./config.ts";
import { curveOf, interpolated, onCurve, timesOf } from "./curves.ts";
import type { PlanRequest, SchedulerPlan } from "./plan.ts";
import { checkRequest, stepsOf } from "./plan.ts";
import { linspace, spacedTimestepsAboveLowest } from "./spacing.ts";

type DpmConfig = ConfigOf<
  | "DPMSolverMultistepScheduler"
  | "DPMSolverSinglestepScheduler"
  | "UniPCMultistepScheduler"
  | "DEISMultistepScheduler"
>;

/** DPM-Solver and DPM-Solver++ in several steps. Takes timesteps of one's own, and mu. */
export function planDpmMultistep(
  config: ConfigOf<"DPMSolverMultistepScheduler">,
  request: PlanRequest,
): SchedulerPlan {
  checkRequest(request, config._class_name, ["timesteps", "mu"]);
  return planned(config, listed(config, request), "dpm-multistep", {
    ...dpmOptions(config),
    eulerAtFinal: config.euler_at_final,
    ...request.samplerOptions,
  });
}

/** DPM-Solver and DPM-Solver++ in single steps. Takes timesteps of one's own, and mu. */
export function planDpmSinglestep(
  config: ConfigOf<"DPMSolverSinglestepScheduler">,
  request: PlanRequest,
): SchedulerPlan {
  checkRequest(request, config._class_name, ["timesteps", "mu"]);
  return planned(config, listed(config, request), "dpm-singlestep", {
    ...dpmOptions(config),
    ...request.samplerOptions,
  });
}

/** UniPC. Takes sigmas of one's own with use_flow_sigmas, and mu. */
export function planUniPc(config: ConfigOf<"UniPCMultistepScheduler">, request: PlanRequest): SchedulerPlan {
  checkRequest(request, config._class_name, ["sigmas", "mu"]);
  if (request.sigmas && (!config.use_flow_sigmas || curveOf(config)))
    throw new UsageError("UniPC takes sigmas of one's own with use_flow_sigmas only");
  return planned(config, listed(config, request), "unipc", {
    order: config.solver_order,
    variant: config.solver_type,
    predictX0: config.predict_x0,
    lowerOrderFinal: config.lower_order_final,
    disableCorrector: config.disable_corrector.filter((step) => step >= 0),
    ...request.samplerOptions,
  });
}

/** DEIS. Takes mu. */
export function planDeis(config: ConfigOf<"DEISMultistepScheduler">, request: PlanRequest): SchedulerPlan {
  checkRequest(request, config._class_name, ["mu"]);
  return planned(config, listed(config, request), "deis", {
    order: config.solver_order,
    lowerOrderFinal: config.lower_order_final,
    ...request.samplerOptions,
  });
}

function dpmOptions(
  config: ConfigOf<"DPMSolverMultistepScheduler"> | ConfigOf<"DPMSolverSinglestepScheduler">,
): Record<string, unknown> {
  return {
    order: config.solver_order,
    algorithm: config.algorithm_type,
    solver: config.solver_type,
    lowerOrderFinal: config.lower_order_final,
    bend: "diffusers",
  };
}

interface Listed {
  /** One a step, not rounded. */
  readonly sigmas: readonly number[];
  readonly times: readonly number[];
  /** What is appended. */
  readonly end: number;
}

function listed(config: DpmConfig, request: PlanRequest): Listed {
  const table = abarsOf(config, true).map(abarSigma);
  const curve = curveOf(config);
  const steps = (request.timesteps ?? request.sigmas)?.length ?? stepsOf(request, config._class_name);
  if (request.timesteps && (curve || config.use_flow_sigmas))
    throw new UsageError(
      `${config._class_name} takes no timesteps of one's own where its sigmas follow a curve`,
    );
  const isUniPc = config._class_name === "UniPCMultistepScheduler";

  if (curve) {
    // The ends of the whole schedule, whatever the spacing is, or those of the config.
    const max = (isUniPc ? config.sigma_max : null) ?? table[table.length - 1];
    const min = (isUniPc ? config.sigma_min : null) ?? table[0];
    const onIt = onCurve(curve, steps, max, min);
    if (config.use_flow_sigmas) {
      const sigmas = onIt.map((sigma) => sigma / (sigma + 1));
      return { sigmas, times: flowTimes(config, sigmas), end: endOf(config, sigmas, table) };
    }
    return { sigmas: onIt, times: rounded(config, timesOf(onIt, table)), end: endOf(config, onIt, table) };
  }
  if (config.use_flow_sigmas) {
    const sigmas = flowSigmas(config, request, steps);
    return { sigmas, times: flowTimes(config, sigmas), end: endOf(config, sigmas, table) };
  }
  const times = request.timesteps?.map(Math.trunc) ?? placed(config, steps, table);
  return {
    sigmas: times.map((t) => interpolated(table, t)),
    times,
    end: hasEndAtZero(config) ? 0 : table[0],
  };
}

function placed(config: DpmConfig, steps: number, table: Float64Array): number[] {
  const count = config.num_train_timesteps;
  const clip = "lambda_min_clipped" in config ? config.lambda_min_clipped : -Infinity;
  // lambda = -ln sigma falls with the timestep.
  const last = count - table.filter((sigma) => -Math.log(sigma) < clip).length;
  if (config._class_name === "DPMSolverSinglestepScheduler")
    return spacedTimestepsAboveLowest({ spacing: "linspace", steps, count, last });
  const { timestep_spacing: spacing, steps_offset: offset } = config;
  return spacedTimestepsAboveLowest({ spacing, steps, count, offset, last });
}

/** Times of a straight path before the end, shifted, highest first. */
function flowSigmas(config: DpmConfig, { mu, sigmas }: PlanRequest, steps: number): number[] {
  const { num_train_timesteps: count, use_dynamic_shifting: isDynamic } = config;
  if (config._class_name !== "UniPCMultistepScheduler") {
    if (mu !== undefined && !isDynamic)
      throw new UsageError(`${config._class_name} takes mu with use_dynamic_shifting only`);
    const shift = mu === undefined ? config.flow_shift : Math.exp(mu);
    return linspace(1, 1 / count, steps + 1)
      .map((alpha) => shiftTime(1 - alpha, shift))
      .reverse()
      .slice(0, -1);
  }
  if (isDynamic && mu === undefined)
    throw new UsageError(
      "UniPC with use_dynamic_shifting wants mu, as in { mu: 0.9 }; or in the config use_dynamic_shifting false and a flow_shift",
    );
  const shift = isDynamic ? dynamicShift(config.time_shift_type, mu!) : config.flow_shift;
  const shifted = (sigmas ?? linspace(1, 1 / count, steps + 1).slice(0, -1)).map((t) => shiftTime(t, shift));
  const ended = config.shift_terminal ? stretchToTerminal(shifted, config.shift_terminal) : shifted;
  // At time 1 nothing of x0 would be left.
  return Math.abs(ended[0] - 1) < 1e-6 ? [ended[0] - 1e-6, ...ended.slice(1)] : ended;
}

function flowTimes({ num_train_timesteps: count }: DpmConfig, sigmas: readonly number[]): number[] {
  return sigmas.map((t) => Math.trunc(t * count));
}

/** Timesteps of a curve as integers: karras and lu are rounded, the rest and DPMSolverMultistep's cosine betas truncated. */
function rounded(config: DpmConfig, times: readonly number[]): number[] {
  const curve = curveOf(config);
  const truncates =
    config._class_name === "DPMSolverMultistepScheduler" && config.beta_schedule === "squaredcos_cap_v2";
  return times.map((curve === "karras" || curve === "lu") && !truncates ? roundHalfEven : Math.trunc);
}

function hasEndAtZero(config: DpmConfig): boolean {
  return "final_sigmas_type" in config && config.final_sigmas_type === "zero";
}

/** What is appended to a curve: 0, the last sigma again (UniPC, DEIS) or that of timestep 0. */
function endOf(config: DpmConfig, sigmas: readonly number[], table: Float64Array): number {
  if (hasEndAtZero(config)) return 0;
  return config._class_name === "UniPCMultistepScheduler" || config._class_name === "DEISMultistepScheduler"
    ? sigmas[sigmas.length - 1]
    : table[0];
}

function planned(
  config: DpmConfig,
  { sigmas, times, end }: Listed,
  sampler: SchedulerPlan["sampler"],
  samplerOptions: Readonly<Record<string, unknown>>,
): SchedulerPlan {
  const table = [...sigmas, end].map(Math.fround);
  const grid = config.use_flow_sigmas ? table.map(flowSigma) : table;
  const calls = times.map((timestep, i) => ({ timestep, sigma: grid[i] }));
  return { timesteps: times, table, initNoiseSigma: 1, calls, sigmas: grid, sampler, samplerOptions };
}
