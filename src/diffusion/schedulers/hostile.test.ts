/** Configs and requests that nobody means: each ends soon, in a plan or in one sentence. */
import { describe, expect, test } from "vitest";
import { FairleadError, UsageError } from "../../base/errors.ts";
import { philox } from "../../base/philox.ts";
import { type Tensor, map, tensor } from "../../base/tensor.ts";
import { last } from "../last.ts";
import { schedulerClasses } from "./config.ts";
import { schedulerFromConfig } from "./scheduler.ts";

const network = (input: Tensor): Promise<Tensor> => Promise.resolve(map((value) => Math.tanh(value), input));
const noise = (_: number, shape: readonly number[]): Tensor =>
  tensor(new Float64Array(shape[0] * shape[1]).fill(0.5), shape);

/** Values that a key might be given, good and odd. */
const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  num_train_timesteps: [1, 2, 7, 100, 1000, 99_999],
  beta_schedule: ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace"],
  beta_start: [1e-9, 1e-4, 0.5, 0.99],
  beta_end: [1e-9, 0.02, 0.5, 0.99],
  prediction_type: ["epsilon", "v_prediction", "sample", "flow_prediction"],
  timestep_spacing: ["linspace", "leading", "trailing"],
  steps_offset: [0, 1, 10],
  solver_order: [1, 2, 3],
  solver_type: ["midpoint", "heun", "bh1", "bh2", "logrho"],
  algorithm_type: ["dpmsolver++", "dpmsolver", "sde-dpmsolver++", "sde-dpmsolver", "deis"],
  final_sigmas_type: ["zero", "sigma_min"],
  lambda_min_clipped: ["-Infinity", -5.1, 0, 100],
  original_inference_steps: [1, 8, 50],
  timestep_scaling: [1e-3, 10, 1e9],
  shift: [1e-6, 1, 3, 1e6],
  flow_shift: [1e-6, 1, 3, 1e6],
  shift_terminal: [null, 1e-6, 0.5, 0.999],
  sigma_min: [null, 1e-3, 1, 90],
  sigma_max: [null, 1e-3, 1, 90],
  sigma_data: [1e-6, 0.5, 1e6],
  rho: [0.01, 1, 7, 1000],
  time_shift_type: ["exponential", "linear"],
  variance_type: ["fixed_small", "fixed_large", "learned_range", null],
  sample_max_value: [1e-3, 1, 100],
  dynamic_thresholding_ratio: [0, 0.5, 1],
  interpolation_type: ["linear", "log_linear"],
  timestep_type: ["discrete", "continuous"],
  sigma_schedule: ["karras", "exponential"],
  disable_corrector: [[], [0], [99_999]],
};
const STEPS = [1, 2, 3, 5, 8, 13, 61];

test.each(schedulerClasses)("%s: 60 random configs give a plan that runs, or a sentence", async (name) => {
  const stream = philox(schedulerClasses.indexOf(name), 0);
  const pick = <T>(list: readonly T[]): T => list[stream.integer(list.length)];
  const keys = Object.keys(schedulerFromConfig({ _class_name: name }).config).filter(
    (key) => key !== "_class_name",
  );
  let ran = 0;
  for (let round = 0; round < 60; round++) {
    const config: Record<string, unknown> = { _class_name: name };
    // A few keys away from their defaults.
    for (let k = 0; k < 1 + stream.integer(4); k++) {
      const key = pick(keys);
      config[key] = pick(VALUES[key] ?? [true, false]);
    }
    try {
      const scheduler = schedulerFromConfig(config);
      const plan = scheduler.plan({
        steps: pick(STEPS),
        ...("use_dynamic_shifting" in config && config.use_dynamic_shifting ? { mu: 0.8 } : {}),
      });
      if (
        scheduler.config._class_name === "DDPMScheduler" &&
        scheduler.config.variance_type === "learned_range"
      )
        continue;
      const end = await last(
        scheduler.sample(network, tensor(Float64Array.of(0.3, -1), [1, 2]), plan, { noise }),
      );
      expect(end.data.every(Number.isFinite), JSON.stringify(config)).toBe(true);
      ran++;
    } catch (error) {
      expect(error, `${JSON.stringify(config)}: ${String(error)}`).toBeInstanceOf(FairleadError);
      expect((error as Error).message.length).toBeLessThan(2000);
    }
  }
  // Most of them are odd, not impossible.
  expect(ran).toBeGreaterThan(20);
});

describe("a run", () => {
  const scheduler = schedulerFromConfig({ _class_name: "DDPMScheduler" });
  const z = tensor(Float64Array.of(1, 2), [1, 2]);

  test("that draws noise asks for it", async () => {
    await expect(last(scheduler.sample(network, z, scheduler.plan({ steps: 3 })))).rejects.toThrow(
      UsageError,
    );
  });

  test("can be stopped after any step", async () => {
    let calls = 0;
    const counted = (input: Tensor): Promise<Tensor> => (calls++, network(input));
    for await (const { index } of scheduler.sample(counted, z, scheduler.plan({ steps: 9 }), { noise }))
      if (index === 3) break;
    expect(calls).toBe(4);
  });

  test("passes on what the network throws", async () => {
    const broken = (): Promise<Tensor> => Promise.reject(new Error("no memory"));
    await expect(last(scheduler.sample(broken, z, scheduler.plan({ steps: 3 }), { noise }))).rejects.toThrow(
      "no memory",
    );
  });

  test("says which size of output was wanted", async () => {
    const short = (): Promise<Tensor> => Promise.resolve(tensor(Float64Array.of(1), [1, 1]));
    await expect(last(scheduler.sample(short, z, scheduler.plan({ steps: 3 }), { noise }))).rejects.toThrow(
      "has 1 values for 2 of x",
    );
  });

  test("of a hundred thousand steps is planned in good time", () => {
    const long = schedulerFromConfig({ _class_name: "FlowMatchEulerDiscreteScheduler" }).plan({
      steps: 100_000,
    });
    expect(long.sigmas).toHaveLength(100_001);
    expect(
      schedulerFromConfig({ _class_name: "HeunDiscreteScheduler" }).plan({ steps: 100_000 }).timesteps,
    ).toHaveLength(199_999);
  });
});
