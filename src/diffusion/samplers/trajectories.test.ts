import { describe, test } from "vitest";
import { followScheduler } from "../../testing/followScheduler.ts";
import type { SchedulerCase, SchedulerRun } from "../../testing/schedulerFixture.ts";
import { schedulerRuns } from "../../testing/schedulerFixture.ts";
import { recordedTables } from "../../testing/schedulerTables.ts";
import { last } from "../last.ts";
import { samplerByName } from "./index.ts";
import type { SamplerName } from "./index.ts";
import type { Timesteps } from "./timesteps.ts";

/** A sampler, its options and, where it is not the recorded one, its grid, for one recorded run. */
interface Ours {
  readonly name: SamplerName;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly sigmas?: readonly number[];
}

type Recipe = (one: SchedulerCase, run: SchedulerRun) => Ours;

const always =
  (name: SamplerName, options?: Readonly<Record<string, unknown>>): Recipe =>
  () => ({ name, options });

/** The kind of output that the library keeps through churn, by prediction type. */
const KEPT: Readonly<Record<string, string>> = { epsilon: "eps", v_prediction: "v", sample: "x0" };

const VARIANCES: Readonly<Record<string, string>> = {
  fixed_small: "small",
  fixed_small_log: "small",
  fixed_large: "large",
  learned_range: "learned",
};

/** The integer timesteps that DDIM, PNDM and TCD count in. */
function timestepsOf(
  name: string,
  one: SchedulerCase,
  run: SchedulerRun,
  values: readonly number[],
): Timesteps {
  const { sigmaOf } = recordedTables(name, one, run);
  const { num_train_timesteps: count, set_alpha_to_one: endsClean } = one.config;
  const end = endsClean ? 0 : sigmaOf(0);
  return {
    values,
    stride: Math.floor(Number(count) / (run.num_inference_steps ?? values.length)),
    sigmaOf: (t) => (t < 0 ? end : sigmaOf(t)),
  };
}

const churned =
  (kept: (one: SchedulerCase) => string): Recipe =>
  (one, { sigmas, step_calls, step }) => ({
    name: "euler",
    options: {
      // The library divides by the length of its table, which may hold a value more than the steps visit.
      churn: (Number(step.s_churn ?? 0) * step_calls) / (sigmas!.length - 1),
      churnMin: step.s_tmin,
      churnMax: step.s_tmax,
      churnNoise: step.s_noise,
      churnOutput: kept(one),
      sigmaData: one.config.sigma_data,
    },
  });

const renewing = ({ config }: Pick<SchedulerCase, "config">): Ours => ({
  name: "lcm",
  options: { renews: config.invert_sigmas ? "data" : "noise" },
});

const RECIPES: Readonly<Record<string, Recipe>> = {
  DDPMScheduler: ({ config }, { timesteps }) => ({
    name: "ddpm",
    options: {
      variance: VARIANCES[String(config.variance_type)],
      noiseAtEnd: timesteps[timesteps.length - 1] > 0 ? "as-before" : "none",
    },
  }),
  DDIMScheduler: (one, run) => ({
    name: "ddim",
    options: { eta: run.step.eta, timesteps: timestepsOf("DDIMScheduler", one, run, run.timesteps) },
  }),
  PNDMScheduler: (one, run) => {
    const isPlms = one.config.skip_prk_steps === true;
    // Calls that begin a step: not the second at the second timestep, and one in four of the Runge-Kutta start.
    const begins = (k: number): boolean => (isPlms ? k !== 1 : k >= 12 || k % 4 === 0);
    const { calls, end } = recordedTables("PNDMScheduler", one, run);
    return {
      name: "pndm",
      sigmas: [...calls.filter((_, k) => begins(k)).map(({ sigma }) => sigma), end.sigma],
      options: {
        start: isPlms ? "heun" : "runge-kutta",
        space: one.config.prediction_type === "v_prediction" ? "v" : "eps",
        timesteps: timestepsOf(
          "PNDMScheduler",
          one,
          run,
          run.timesteps.filter((_, k) => begins(k)),
        ),
      },
    };
  },
  IPNDMScheduler: always("ipndm"),
  LMSDiscreteScheduler: (_, { step }) => ({ name: "lms", options: { order: step.order } }),
  EulerDiscreteScheduler: churned(({ config }) => KEPT[String(config.prediction_type)]),
  EDMEulerScheduler: churned(() => "edm"),
  EulerAncestralDiscreteScheduler: always("euler-ancestral"),
  HeunDiscreteScheduler: always("heun"),
  KDPM2DiscreteScheduler: always("dpm2"),
  KDPM2AncestralDiscreteScheduler: always("dpm2-ancestral"),
  LCMScheduler: always("lcm"),
  TCDScheduler: (one, run) => ({
    name: "tcd",
    options: { eta: run.step.eta, timesteps: timestepsOf("TCDScheduler", one, run, run.timesteps) },
  }),
  FlowMatchEulerDiscreteScheduler: ({ config }) =>
    config.stochastic_sampling ? renewing({ config }) : { name: "euler" },
  FlowMatchHeunDiscreteScheduler: always("flow-heun"),
  FlowMatchLCMScheduler: (one) => renewing(one),
};

describe.each(Object.entries(RECIPES))("every recorded run of %s is one of our samplers", (name, recipe) => {
  test.each(schedulerRuns(name))("%s", async (_title, one, run) => {
    const followed = followScheduler(name, one, run);
    const ours = recipe(one, run);
    const steps = samplerByName(ours.name).run(
      followed.evaluate,
      followed.start,
      ours.sigmas ?? followed.sigmas,
      { ...ours.options, noise: followed.noise },
    );
    followed.check(await last(steps));
  });
});
