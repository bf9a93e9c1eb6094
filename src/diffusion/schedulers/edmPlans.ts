/** Plans of the two classes for EDM's networks, and of iPNDM, which has a schedule of its own. */
import { NOISE_ALONE } from "../betas.ts";
import type { ConfigOf } from "./config.ts";
import { onCurve } from "./curves.ts";
import type { PlanRequest, SchedulerPlan } from "./plan.ts";
import { checkRequest, stepsOf } from "./plan.ts";

/** Euler, with churn by the sampler's options. */
export function planEdmEuler(config: ConfigOf<"EDMEulerScheduler">, request: PlanRequest): SchedulerPlan {
  return edmPlan(config, request, "euler", { churnOutput: "edm", sigmaData: config.sigma_data });
}

/** DPM-Solver++ in several steps. */
export function planEdmDpm(
  config: ConfigOf<"EDMDPMSolverMultistepScheduler">,
  request: PlanRequest,
): SchedulerPlan {
  return edmPlan(config, request, "dpm-multistep", {
    order: config.solver_order,
    algorithm: config.algorithm_type,
    solver: config.solver_type,
    lowerOrderFinal: config.lower_order_final,
    eulerAtFinal: config.euler_at_final,
    bend: "diffusers",
  });
}

function edmPlan(
  config: ConfigOf<"EDMEulerScheduler"> | ConfigOf<"EDMDPMSolverMultistepScheduler">,
  request: PlanRequest,
  sampler: SchedulerPlan["sampler"],
  options: Readonly<Record<string, unknown>>,
): SchedulerPlan {
  checkRequest(request, config._class_name, []);
  const { sigma_schedule: curve, sigma_max: max, sigma_min: min, rho } = config;
  const steps = stepsOf(request, config._class_name);
  // Both classes place a single step at the curve's beginning; the exponential one begins at its lowest.
  const levels = steps === 1 && curve === "exponential" ? [min] : onCurve(curve, steps, max, min, rho);
  const sigmas = levels.map(Math.fround);
  // The last level again; DPM-Solver's class takes the config's sigma_min, which a single step does not reach.
  const least = config._class_name === "EDMEulerScheduler" ? sigmas[steps - 1] : Math.fround(min);
  const table = [...sigmas, config.final_sigmas_type === "zero" ? 0 : least];
  const timesteps = sigmas.map((sigma) => Math.log(sigma) / 4);
  return {
    timesteps,
    table,
    initNoiseSigma: Math.sqrt(max * max + 1),
    calls: timesteps.map((timestep, i) => ({ timestep, sigma: table[i] })),
    sigmas: table,
    sampler,
    samplerOptions: { ...options, ...request.samplerOptions },
  };
}

/**
 * iPNDM: u_i = 1 - i/n, x = a x0 + b noise with b = sin(pi u / 2)^2 and a = sqrt(1 - b^2); the network is told (2/pi) atan2(b, a).
 * trained_betas, where given, are the values of b, the last one that of the run's end.
 */
export function planIpndm(config: ConfigOf<"IPNDMScheduler">, request: PlanRequest): SchedulerPlan {
  checkRequest(request, config._class_name, []);
  const shares = config.trained_betas ?? ipndmShares(stepsOf(request, config._class_name));
  const levels = shares.map((b) => {
    const a = Math.sqrt(1 - b * b);
    return { timestep: (2 / Math.PI) * Math.atan2(b, a), sigma: Math.min(b / a, NOISE_ALONE) };
  });
  const calls = levels.slice(0, -1);
  return {
    timesteps: calls.map(({ timestep }) => timestep),
    table: null,
    initNoiseSigma: 1,
    calls,
    sigmas: levels.map(({ sigma }) => sigma),
    sampler: "ipndm",
    samplerOptions: { ...request.samplerOptions },
  };
}

function ipndmShares(steps: number): number[] {
  return Array.from({ length: steps + 1 }, (_, i) => Math.sin((Math.PI * (1 - i / steps)) / 2) ** 2);
}
