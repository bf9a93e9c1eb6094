import { UsageError } from "../../base/errors.ts";
import { type Tensor, axpby, scale } from "../../base/tensor.ts";
import { NOISE_ALONE, abarSigma, timestepOfSigma } from "../betas.ts";
import type { Evaluate } from "../denoiser.ts";
import { flowSigma } from "../flowSigmas.ts";
import { type Level, variancePreserving } from "../parameterisation.ts";
import { samplers } from "../samplers/index.ts";
import type { Noise, Step } from "../samplers/sampler.ts";
import { abarsOf } from "./betaTable.ts";
import type { ConfigOf, SchedulerClass, SchedulerConfig } from "./config.ts";
import { parseConfig, parseConfigText } from "./config.ts";
import { planDeis, planDpmMultistep, planDpmSinglestep, planUniPc } from "./dpmPlans.ts";
import { planEdmDpm, planEdmEuler, planIpndm } from "./edmPlans.ts";
import { planFlowEuler, planFlowHeun, planFlowLcm } from "./flowPlans.ts";
import type { PlanRequest, SchedulerPlan } from "./plan.ts";
import type { Limiting, Scaling } from "./prediction.ts";
import { formOf, inputOf, limit, predictionOf, scalingOf, splitOutput } from "./prediction.ts";
import {
  planDpmSde,
  planEuler,
  planEulerAncestral,
  planHeun,
  planKdpm2,
  planKdpm2Ancestral,
  planLms,
} from "./sigmaPlans.ts";
import { planDdim, planDdpm, planLcm, planPndm, planTcd } from "./timestepPlans.ts";

/** A network as it was trained: its raw output for its own input, [batch, channels, ...], and the timestep that it is told. */
export type RawNetwork = (input: Tensor, timestep: number) => Promise<Tensor>;

/**
 * A scheduler_config.json as a schedule, a sampler and a way to read the network. Between these everything is in our own form,
 * x0 + sigma noise (VE); the class's own state at a noise level is level(sigma).alpha times it.
 */
export interface Scheduler {
  readonly name: SchedulerClass;
  /** The config with the class's defaults filled in. */
  readonly config: SchedulerConfig;
  /** Noise levels, timesteps and sampler of a run. Throws UsageError on a request that the class cannot meet. */
  plan(request: PlanRequest): SchedulerPlan;
  /** Shares of x0 and of noise in the class's own state at a VE noise level. */
  level(sigma: number): Level;
  /** How the network is called at a VE noise level, in a plan's step: scaling of x, of its output, and what it is told. */
  call(sigma: number, plan?: SchedulerPlan, step?: number): Scaling & { readonly timestep: number };
  /** The network as a prediction of x0 for the plan's sampler; no guidance. The same as `limit` of its plain prediction. */
  evaluate(network: RawNetwork, plan: SchedulerPlan, limiting?: Limiting): Evaluate;
  /** A (guided) prediction of x0 as the class goes on with it: clipped, thresholded, mixed with x (LCM). */
  limit(predict: Evaluate, plan: SchedulerPlan, limiting?: Limiting): Evaluate;
  /** Unit noise as the sampler's start: initNoiseSigma times it in the class's own form. */
  start(noise: Tensor, plan: SchedulerPlan): Tensor;
  /** The sampler's last x in the class's own form, which at the end of most runs is the same. */
  finish(x: Tensor, plan: SchedulerPlan): Tensor;
  /** The steps of a whole run, from unit noise to the sample in the class's own form. `noise` is needed where the sampler draws. */
  sample(
    network: RawNetwork,
    start: Tensor,
    plan: SchedulerPlan,
    options?: Limiting & { readonly noise?: Noise },
  ): AsyncGenerator<Step, Tensor, void>;
  /** x0 with noise at a timestep, in the class's own form (add_noise, scale_noise). With a plan, at the plan's level of that timestep. */
  addNoise(x0: Tensor, noise: Tensor, timestep: number, plan?: SchedulerPlan): Tensor;
  /**
   * What a network that predicts v is trained on: sqrt(abar) noise - sqrt(1 - abar) x0. With a plan, what the class's get_velocity returns:
   * Euler's takes abar not of the timestep but of its number in the plan.
   */
  velocity(x0: Tensor, noise: Tensor, timestep: number, plan?: SchedulerPlan): Tensor;
}

/**
 * The scheduler that a scheduler_config.json describes, given as a parsed value or as the file's text (in which the library also writes bare
 * -Infinity). Takes the configs of 22 classes of diffusers.
 * Throws FileError on anything else, with the classes or keys that there are.
 */
export function schedulerFromConfig(json: unknown): Scheduler {
  const config = typeof json === "string" ? parseConfigText(json) : parseConfig(json);
  const form = formOf(config);
  const scaling = scalingOf(config);
  const levels = levelsOf(config);
  const plan = PLANS[config._class_name] as (config: SchedulerConfig, request: PlanRequest) => SchedulerPlan;

  const self: Scheduler = {
    name: config._class_name,
    config,
    plan: (request) => plan(config, request),
    level: form,
    call: (sigma, plan, step) => ({ ...scaling(sigma), timestep: timestepAt(levels, sigma, plan, step) }),
    evaluate: (network, plan, limiting) =>
      self.limit(
        async (x, sigma, step) => {
          const call = self.call(sigma, plan, step);
          const raw = await network(inputOf(call, x), call.timestep);
          const { output, varianceMix } = splitOutput(config, raw, x);
          return { ...predictionOf(call, x, output), ...(varianceMix ? { varianceMix } : {}) };
        },
        plan,
        limiting,
      ),
    limit:
      (predict, plan, limiting = {}) =>
      async (x, sigma, step) => {
        const at = { x, sigma, timestep: timestepAt(levels, sigma, plan, step) };
        return limit(config, await predict(x, sigma, step), at, limiting);
      },
    start: (noise, plan) => scale(plan.initNoiseSigma / form(plan.sigmas[0]).alpha, noise),
    finish: (x, plan) => scale(form(plan.sigmas[plan.sigmas.length - 1]).alpha, x),
    async *sample(network, start, plan, { noise, ...limiting } = {}) {
      const evaluate = self.evaluate(network, plan, limiting);
      const steps = samplers[plan.sampler].run(evaluate, self.start(start, plan), plan.sigmas, {
        ...plan.samplerOptions,
        noise,
      });
      return self.finish(yield* steps, plan);
    },
    addNoise: (x0, noise, timestep, plan) => {
      const { alpha, sigma } = form(sigmaAt(levels, timestep, plan));
      return axpby(alpha, x0, sigma, noise);
    },
    velocity: (x0, noise, timestep, plan) => {
      const isEuler = config._class_name === "EulerDiscreteScheduler" && plan !== undefined;
      const t = isEuler ? plan.timesteps.indexOf(timestep) : timestep;
      const { alpha, sigma } = variancePreserving(levels.sigmaOf(t));
      return axpby(alpha, noise, -sigma, x0);
    },
  };
  return self;
}

const PLANS: {
  readonly [C in SchedulerClass]: (config: ConfigOf<C>, request: PlanRequest) => SchedulerPlan;
} = {
  DDPMScheduler: planDdpm,
  DDIMScheduler: planDdim,
  PNDMScheduler: planPndm,
  IPNDMScheduler: planIpndm,
  LMSDiscreteScheduler: planLms,
  EulerDiscreteScheduler: planEuler,
  EulerAncestralDiscreteScheduler: planEulerAncestral,
  HeunDiscreteScheduler: planHeun,
  KDPM2DiscreteScheduler: planKdpm2,
  KDPM2AncestralDiscreteScheduler: planKdpm2Ancestral,
  DPMSolverSDEScheduler: planDpmSde,
  DPMSolverMultistepScheduler: planDpmMultistep,
  DPMSolverSinglestepScheduler: planDpmSinglestep,
  UniPCMultistepScheduler: planUniPc,
  DEISMultistepScheduler: planDeis,
  LCMScheduler: planLcm,
  TCDScheduler: planTcd,
  FlowMatchEulerDiscreteScheduler: planFlowEuler,
  FlowMatchHeunDiscreteScheduler: planFlowHeun,
  FlowMatchLCMScheduler: planFlowLcm,
  EDMEulerScheduler: planEdmEuler,
  EDMDPMSolverMultistepScheduler: planEdmDpm,
};

/** Timesteps and noise levels of a class, outside any run. */
interface Levels {
  sigmaOf(timestep: number): number;
  timestepOf(sigma: number): number;
}

function levelsOf(config: SchedulerConfig): Levels {
  if (config._class_name === "IPNDMScheduler") {
    return {
      sigmaOf: (t) => Math.min(Math.tan((Math.PI / 2) * t), NOISE_ALONE),
      timestepOf: (sigma) => (2 / Math.PI) * Math.atan(sigma),
    };
  }
  if ("sigma_data" in config)
    return { sigmaOf: (t) => Math.exp(4 * t), timestepOf: (sigma) => Math.log(sigma) / 4 };
  const count = config.num_train_timesteps;
  if (!("beta_start" in config) || ("use_flow_sigmas" in config && config.use_flow_sigmas)) {
    const isInverted = "invert_sigmas" in config && config.invert_sigmas;
    return {
      sigmaOf: (t) => flowSigma(isInverted ? 1 - t / count : t / count),
      timestepOf: (sigma) => (count * (isInverted ? 1 : sigma)) / (1 + sigma),
    };
  }
  const dividesByLast = !("set_alpha_to_one" in config) && config._class_name !== "DDPMScheduler";
  const table = abarsOf(config, dividesByLast).map(abarSigma);
  return {
    sigmaOf: (t) => {
      if (!(t >= 0 && t < table.length))
        throw new UsageError(`timesteps go from 0 to ${table.length - 1}, got ${t}`);
      return table[Math.round(t)];
    },
    timestepOf: (sigma) => timestepOfSigma(table, sigma),
  };
}

/** What the network is told at a noise level: the plan's entry where it visits that level, else the class's own time of it. */
function timestepAt(levels: Levels, sigma: number, plan?: SchedulerPlan, step?: number): number {
  const visits = plan?.calls.filter((call) => Math.abs(call.sigma - sigma) <= 1e-9 * sigma) ?? [];
  const visited = visits.find((call) => call.step === step) ?? visits[0];
  return visited ? visited.timestep : levels.timestepOf(sigma);
}

/** The noise level of a timestep: the plan's where the network is called there, else the class's own. */
function sigmaAt(levels: Levels, timestep: number, plan?: SchedulerPlan): number {
  const called = plan?.calls.find((call) => call.timestep === timestep);
  return called ? called.sigma : levels.sigmaOf(timestep);
}
