import { describe, expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import { checkState, schedulerModel } from "../../testing/followScheduler.ts";
import type { SchedulerCase, SchedulerRun } from "../../testing/schedulerFixture.ts";
import { schedulerClasses, schedulerCommon, schedulerRuns } from "../../testing/schedulerFixture.ts";
import { concatChannels } from "../../testing/concatChannels.ts";
import type { PlanRequest, SchedulerPlan } from "./plan.ts";
import { schedulerFromConfig } from "./scheduler.ts";

/** The library's names of a step's arguments, and ours. */
const STEP: Readonly<Record<string, string>> = {
  eta: "eta",
  order: "order",
  s_churn: "churn",
  s_tmin: "churnMin",
  s_tmax: "churnMax",
  s_noise: "churnNoise",
};

function requestOf(run: SchedulerRun): PlanRequest {
  const given = Object.entries(run.step).filter(([key]) => key !== "use_clipped_model_output");
  return {
    ...(run.num_inference_steps === null ? {} : { steps: run.num_inference_steps }),
    ...run.set_timesteps,
    samplerOptions: Object.fromEntries(given.map(([key, value]) => [STEP[key], value])),
  };
}

/** The plan with the recorded timestep where float32 and float64 truncate to different integers. */
function withFragile(plan: SchedulerPlan, run: SchedulerRun): SchedulerPlan {
  const calls = plan.calls.map((call, i) =>
    run.fragile_timesteps.includes(i) ? { ...call, timestep: run.timesteps[i] } : call,
  );
  return { ...plan, calls };
}

describe.each(schedulerClasses)("%s", (name) => {
  test.each(schedulerRuns(name))("tables of %s", (_title, one, run) => {
    const plan = schedulerFromConfig(one.config).plan(requestOf(run));
    const { tol } = run;
    expect(plan.timesteps).toHaveLength(run.timesteps.length);
    plan.timesteps.forEach((timestep, i) => {
      if (!run.fragile_timesteps.includes(i))
        expect(timestep, `timestep ${i}`).toBeAllClose(run.timesteps[i], { abs: tol.timestep });
    });
    expect(plan.table === null).toBe(run.sigmas === null);
    run.sigmas?.forEach((want, i) =>
      expect(plan.table![i], `sigma ${i}`).toBeAllClose(want, { abs: tol.sigma! * Math.max(want, 1e-3) }),
    );
    expect(plan.table ?? []).toHaveLength(run.sigmas?.length ?? 0);
    expect(plan.initNoiseSigma).toBeAllClose(run.init_noise_sigma ?? 1, { rel: tol.sigma ?? 0 });
  });

  test.each(schedulerRuns(name))("every state of %s", async (_title, one, run) => {
    await follow(one, run);
  });
});

/** Runs a case from its config alone; throws where a recorded state, the calls or the noises differ. */
async function follow(one: SchedulerCase, run: SchedulerRun): Promise<void> {
  const { shape, z, noise } = schedulerCommon;
  const scheduler = schedulerFromConfig(one.config);
  const plan = withFragile(scheduler.plan(requestOf(run)), run);
  const double = (values: readonly number[]) => tensor(Float64Array.from(values), shape);
  const isLearned = one.config.variance_type === "learned_range";
  let [calls, drawn] = [0, 0];
  const steps = scheduler.sample(
    (input, timestep) => {
      const { out, variance } = schedulerModel(input, timestep);
      const k = calls++;
      // The class's state k, from what the network sees of it.
      if (Object.hasOwn(run.states, k)) {
        const { cIn } = scheduler.call(plan.calls[k].sigma);
        const { alpha } = scheduler.level(plan.calls[k].sigma);
        const state = { data: input.data.map((value) => (value * alpha) / cIn), shape: input.shape };
        checkState(state, run.states[k], run.tol.state, `state ${k}`);
      }
      return Promise.resolve(isLearned ? concatChannels(out, variance) : out);
    },
    double(z),
    plan,
    {
      renoiseLimited: run.step.use_clipped_model_output === true,
      noise: () => double(noise[drawn++]),
    },
  );
  let end = await steps.next();
  while (!end.done) end = await steps.next();
  checkState(end.value, run.states[run.step_calls], run.tol.state, "the last state");
  expect(calls).toBe(run.step_calls);
  // A noise of weight 0 is not drawn.
  expect([run.noise_used, run.noise_used - 1]).toContain(drawn);
}
