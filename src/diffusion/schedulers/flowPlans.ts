/**
 * Plans of the flow matching classes, for networks that predict the velocity on a straight path. Their tables hold times, rounded to
 * float32, as the classes store them; the network is told N times the time.
 */
import { UsageError } from "../../base/errors.ts";
import { dynamicShift, flowSigma, shiftTime, stretchToTerminal } from "../flowSigmas.ts";
import type { ConfigOf } from "./config.ts";
import { curveOf, onCurve } from "./curves.ts";
import type { PlanRequest, SchedulerPlan } from "./plan.ts";
import { checkRequest, stepsOf } from "./plan.ts";
import { linspace } from "./spacing.ts";

type ShiftedConfig = ConfigOf<"FlowMatchEulerDiscreteScheduler"> | ConfigOf<"FlowMatchLCMScheduler">;

/** Euler's method, or the rule that renews all noise (stochastic_sampling). Takes mu, and sigmas or timesteps of one's own. */
export function planFlowEuler(
  config: ConfigOf<"FlowMatchEulerDiscreteScheduler">,
  request: PlanRequest,
): SchedulerPlan {
  return shiftedPlan(config, request, config.stochastic_sampling ? "lcm" : "euler");
}

/** Every step predicts x0 and renews all noise. Takes mu, and sigmas or timesteps of one's own. */
export function planFlowLcm(config: ConfigOf<"FlowMatchLCMScheduler">, request: PlanRequest): SchedulerPlan {
  return shiftedPlan(config, request, "lcm");
}

/** Heun's method in the time of the path. */
export function planFlowHeun(
  config: ConfigOf<"FlowMatchHeunDiscreteScheduler">,
  request: PlanRequest,
): SchedulerPlan {
  checkRequest(request, config._class_name, []);
  const { shift, num_train_timesteps: count } = config;
  const [first, last] = ends(count, shift);
  const steps = stepsOf(request, config._class_name);
  const times = linspace(first, last, steps).map((t) => Math.fround(shiftTime(t, shift)));
  const sigmas = [...times, 0].map(flowSigma);
  const calls = times.flatMap((t, i) => {
    const call = { timestep: Math.fround(t * count), sigma: sigmas[i] };
    return i === 0 ? [call] : [call, call];
  });
  return {
    timesteps: calls.map(({ timestep }) => timestep),
    table: [times[0], ...times.slice(1).flatMap((t) => [t, t]), 0],
    initNoiseSigma: 1,
    calls,
    sigmas,
    sampler: "flow-heun",
    samplerOptions: { ...request.samplerOptions },
  };
}

/** The largest and smallest time, which have been through the shift once before the list is. */
function ends(count: number, shift: number): [number, number] {
  return [1, Math.fround(shiftTime(1 / count, shift))];
}

function shiftedPlan(
  config: ShiftedConfig,
  request: PlanRequest,
  sampler: SchedulerPlan["sampler"],
): SchedulerPlan {
  checkRequest(request, config._class_name, ["timesteps", "sigmas", "mu"]);
  const times = shiftedTimes(config, request).map(Math.fround);
  const count = config.num_train_timesteps;
  // Inverted, the class counts the signal's share: its table rises, and the network predicts x0 - noise.
  const isInverted = config.invert_sigmas;
  const table = [...times, 0].map((t) => (isInverted ? Math.fround(1 - t) : t));
  const own = config._class_name === "FlowMatchLCMScheduler" && !isInverted ? request.timesteps : undefined;
  const timesteps = own?.map(Math.fround) ?? table.slice(0, -1).map((t) => Math.fround(t * count));
  const sigmas = table.map((t) => flowSigma(isInverted ? 1 - t : t));
  return {
    timesteps,
    table,
    initNoiseSigma: 1,
    calls: timesteps.map((timestep, i) => ({ timestep, sigma: sigmas[i] })),
    sigmas,
    sampler,
    // Of the rule that renews the noise, inverted times make one that renews the data.
    samplerOptions: {
      ...(sampler === "lcm" && isInverted ? { renews: "data" } : {}),
      ...request.samplerOptions,
    },
  };
}

function shiftedTimes(config: ShiftedConfig, request: PlanRequest): number[] {
  const { num_train_timesteps: count, shift, use_dynamic_shifting: isDynamic } = config;
  const { mu } = request;
  if (isDynamic && mu === undefined)
    throw new UsageError(
      `${config._class_name} with use_dynamic_shifting wants mu, as in { mu: 0.9 }; or in the config use_dynamic_shifting false and a shift`,
    );
  const given = request.sigmas ?? request.timesteps?.map((t) => t / count);
  const steps = given?.length ?? stepsOf(request, config._class_name);
  const [first, last] = isDynamic ? [1, Math.fround(1 / count)] : ends(count, shift);
  const even = given?.map(Math.fround) ?? linspace(first, last, steps);
  if (!even.every((t) => t > 0 && t <= 1))
    throw new UsageError(`${config._class_name} takes times above 0, at most 1, got ${even.join(", ")}`);
  const factor = isDynamic ? dynamicShift(config.time_shift_type, mu!) : shift;
  const shifted = even.map((t) => shiftTime(t, factor));
  const ended =
    config.shift_terminal && shifted[steps - 1] < 1
      ? stretchToTerminal(shifted, config.shift_terminal)
      : shifted;
  const curve = curveOf(config);
  return curve ? onCurve(curve, steps, ended[0], ended[ended.length - 1]) : ended;
}
