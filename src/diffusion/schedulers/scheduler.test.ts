import { describe, expect, test } from "vitest";
import { type Tensor, map, tensor } from "../../base/tensor.ts";
import { last } from "../last.ts";
import { gaussian } from "../oracles/gaussian.ts";
import { samplers } from "../samplers/index.ts";
import type { PlanRequest } from "./plan.ts";
import { schedulerClasses } from "./config.ts";
import { schedulerFromConfig } from "./scheduler.ts";

const of = (name: string, keys: object = {}) => schedulerFromConfig({ _class_name: name, ...keys });
const double = (values: readonly number[]): Tensor => tensor(Float64Array.from(values), [values.length, 1]);

describe("a plan", () => {
  test("of every class descends, has a level for each call, and names a sampler that takes its options", () => {
    for (const name of schedulerClasses) {
      for (const steps of [5, 12]) {
        const scheduler = of(name);
        const plan = scheduler.plan({ steps });
        expect(plan.calls.map(({ timestep }) => timestep)).toEqual(plan.timesteps);
        for (let i = 1; i < plan.sigmas.length; i++)
          expect(plan.sigmas[i]).toBeLessThanOrEqual(plan.sigmas[i - 1]);
        const x = scheduler.start(double([0]), plan);
        expect(() =>
          samplers[plan.sampler].run(() => Promise.resolve(x), x, plan.sigmas, plan.samplerOptions),
        ).not.toThrow();
      }
    }
  });

  test("keeps its table in float32, as the classes do", () => {
    for (const name of schedulerClasses) {
      const { table } = of(name).plan({ steps: 11 });
      expect(table, name).toEqual(table && table.map(Math.fround));
    }
  });

  test("tells fractional times in float32 where the class keeps them so", () => {
    for (const name of [
      "LMSDiscreteScheduler",
      "EulerDiscreteScheduler",
      "EulerAncestralDiscreteScheduler",
      "HeunDiscreteScheduler",
    ]) {
      const { timesteps } = of(name).plan({ steps: 8 });
      expect(timesteps).toEqual(timesteps.map(Math.fround));
      expect(timesteps.some((t) => !Number.isInteger(t))).toBe(true);
    }
    // On a cosine schedule of 250 timesteps the curve's last time is 1 but for float64's last digits.
    const keys = {
      use_exponential_sigmas: true,
      beta_schedule: "squaredcos_cap_v2",
      steps_offset: 1,
      timestep_spacing: "leading",
    };
    expect(of("EulerDiscreteScheduler", keys).plan({ steps: 2 }).timesteps[1]).toBe(1);
  });

  test("of LCM and TCD chooses from the part of the grid that strength leaves, rounded down", () => {
    // numpy: 20 i - 1 for i = 27, ..., 1 at entries floor(j 27/4).
    for (const name of ["LCMScheduler", "TCDScheduler"])
      expect(of(name).plan({ steps: 4, strength: 0.55 }).timesteps).toEqual([539, 419, 279, 139]);
    expect(of("LCMScheduler").plan({ timesteps: [900, 500, 300, 100, 50], strength: 0.5 }).timesteps).toEqual(
      [100, 50],
    );
  });

  test("takes options of the sampler over the config's, and the sampler refuses those that it does not have", async () => {
    const scheduler = of("DDPMScheduler");
    expect(scheduler.plan({ steps: 3, samplerOptions: { variance: "large" } }).samplerOptions).toMatchObject({
      variance: "large",
    });
    const plan = scheduler.plan({ steps: 3, samplerOptions: { eta: 1 } });
    const run = scheduler.sample((x) => Promise.resolve(x), double([1]), plan);
    await expect(last(run)).rejects.toThrow('sampler ddpm has no option "eta"');
  });

  const REFUSED: readonly (readonly [string, object, PlanRequest, string])[] = [
    ["DDIMScheduler", {}, {}, "a run of DDIMScheduler wants a number of steps"],
    ["DDIMScheduler", {}, { steps: 0 }, "steps is a whole number from 1"],
    ["DDIMScheduler", {}, { steps: 2.5 }, "steps is a whole number from 1"],
    ["EDMEulerScheduler", {}, { steps: 1e9 }, "from 1 to 100000"],
    ["DDIMScheduler", {}, { steps: 1001 }, "has 1000 timesteps, fewer than 1001 steps"],
    ["DDIMScheduler", {}, { timesteps: [5, 1] }, "takes no timesteps; it takes steps, samplerOptions"],
    ["DDPMScheduler", {}, { timesteps: [5, 1], steps: 3 }, "leave steps out"],
    ["DDPMScheduler", {}, { timesteps: [] }, "timesteps is a list of numbers"],
    ["DDPMScheduler", {}, { timesteps: [5, NaN] }, "timesteps is a list of numbers"],
    ["DDPMScheduler", {}, { timesteps: [1000, 5] }, "has timestep 1000, but timesteps go from 0 to 999"],
    ["DDPMScheduler", {}, { timesteps: [7.5, 5] }, "has timestep 7.5"],
    ["DDPMScheduler", { timestep_spacing: "trailing" }, { steps: 61 }, "has timestep -1"],
    ["DDPMScheduler", { steps_offset: 1 }, { steps: 1000 }, "has timestep 1000"],
    ["PNDMScheduler", {}, { steps: 3 }, "takes 4 steps or more, got 3"],
    ["EulerDiscreteScheduler", {}, { timesteps: [5], sigmas: [3, 0] }, "not both"],
    [
      "EulerDiscreteScheduler",
      { use_karras_sigmas: true },
      { timesteps: [5, 1] },
      "takes no timesteps of one's own",
    ],
    ["EulerDiscreteScheduler", {}, { sigmas: [0] }, "two or more"],
    [
      "HeunDiscreteScheduler",
      { use_beta_sigmas: true },
      { timesteps: [5, 1] },
      "takes no timesteps of one's own",
    ],
    [
      "DPMSolverMultistepScheduler",
      { use_lu_lambdas: true },
      { timesteps: [5, 1] },
      "takes no timesteps of one's own",
    ],
    [
      "DPMSolverMultistepScheduler",
      { use_flow_sigmas: true },
      { steps: 5, mu: 1 },
      "takes mu with use_dynamic_shifting only",
    ],
    ["UniPCMultistepScheduler", {}, { sigmas: [0.9, 0.5] }, "with use_flow_sigmas only"],
    [
      "UniPCMultistepScheduler",
      { use_flow_sigmas: true, use_dynamic_shifting: true },
      { steps: 5 },
      "wants mu",
    ],
    ["FlowMatchEulerDiscreteScheduler", { use_dynamic_shifting: true }, { steps: 5 }, "wants mu"],
    [
      "FlowMatchEulerDiscreteScheduler",
      { use_dynamic_shifting: true, time_shift_type: "linear" },
      { steps: 5, mu: -1 },
      "mu above 0",
    ],
    ["FlowMatchEulerDiscreteScheduler", {}, { sigmas: [1.5, 0.5] }, "takes times above 0, at most 1"],
    ["FlowMatchEulerDiscreteScheduler", {}, { steps: 5, mu: Infinity }, "mu is a number below 100"],
    ["LCMScheduler", {}, { steps: 60 }, "has 50 timesteps to choose from"],
    ["LCMScheduler", {}, { steps: 30, strength: 0.5 }, "has 25 timesteps to choose from"],
    ["LCMScheduler", {}, { steps: 4, strength: 0 }, "strength is a number above 0"],
    ["TCDScheduler", {}, { timesteps: [500], strength: 0.5 }, "leaves none of 1 timesteps"],
  ];

  test.each(REFUSED)("%s %j refuses %j", (name, keys, request, message) => {
    expect(() => of(name, keys).plan(request)).toThrow(message);
  });
});

describe("what the network is told", () => {
  test("at a level of the plan its timestep, between levels the class's own time of it", () => {
    const scheduler = of("DPMSolverMultistepScheduler", { use_karras_sigmas: true });
    const plan = scheduler.plan({ steps: 6 });
    for (const { sigma, timestep } of plan.calls) {
      expect(scheduler.call(sigma, plan).timestep).toBe(timestep);
      // Without the plan it is not rounded.
      expect(Math.abs(scheduler.call(sigma).timestep - timestep)).toBeLessThanOrEqual(0.5);
    }
    const between = scheduler.call((plan.sigmas[1] + plan.sigmas[2]) / 2, plan).timestep;
    expect(between).toBeLessThan(plan.timesteps[1]);
    expect(between).toBeGreaterThan(plan.timesteps[2]);
  });

  test("the time of a noise level, by class: of a flow N t, of EDM ln(sigma)/4, of iPNDM an angle", () => {
    expect(of("FlowMatchEulerDiscreteScheduler").call(1).timestep).toBe(500);
    expect(of("FlowMatchEulerDiscreteScheduler", { invert_sigmas: true }).call(3).timestep).toBe(250);
    expect(
      of("UniPCMultistepScheduler", { use_flow_sigmas: true, num_train_timesteps: 200 }).call(3).timestep,
    ).toBe(150);
    expect(of("EDMEulerScheduler").call(5).timestep).toBe(Math.log(5) / 4);
    expect(of("IPNDMScheduler").call(1).timestep).toBeAllClose(0.5, { rel: 1e-14 });
    expect(of("DDPMScheduler").call(3.42413662).timestep).toBeAllClose(499, { abs: 1e-5 });
  });

  test("where two steps call it at one level, the step decides", () => {
    // KDPM2 ancestral's middle of a step lies at the next step's level: told exactly there, rounded at the beginning.
    const scheduler = of("KDPM2AncestralDiscreteScheduler", { use_karras_sigmas: true });
    const plan = scheduler.plan({ steps: 6 });
    const level = plan.sigmas[2];
    const [middle, begin] = [1, 2].map((step) => scheduler.call(level, plan, step).timestep);
    expect(begin).toBe(Math.round(middle));
    expect(middle).not.toBe(begin);
  });
});

describe("the whole way from noise to a sample", () => {
  /** The exact eps network of N(mean, std^2) in variance-preserving form. */
  const exact = (mean: number, std: number) => {
    const data = gaussian({ mean, std });
    return async (input: Tensor, sigma: number): Promise<Tensor> => {
      const x = map((value) => value * Math.sqrt(1 + sigma * sigma), input);
      const x0 = await data.denoise(x, sigma);
      return map((value, i) => (value - x0.data[i]) / sigma, x);
    };
  };

  test("deterministic classes carry the noise's quantiles to the data's: mean + std z", async () => {
    for (const name of [
      "DDIMScheduler",
      "PNDMScheduler",
      "EulerDiscreteScheduler",
      "HeunDiscreteScheduler",
      "LMSDiscreteScheduler",
      "DPMSolverMultistepScheduler",
      "UniPCMultistepScheduler",
      "DEISMultistepScheduler",
    ]) {
      const scheduler = of(name, { clip_sample: false, beta_start: 1e-4, beta_end: 0.02 });
      const plan = scheduler.plan({ steps: 200 });
      const network = exact(0.5, 0.8);
      const z = double([-1, 0, 2]);
      const got = await last(
        scheduler.sample((input, timestep) => network(input, levelOf(scheduler, plan, timestep)), z, plan),
      );
      // Euler is the coarsest; the rest of the distance is the noise left at the schedule's ends.
      expect(got, name).toBeAllClose([-0.3, 0.5, 2.1], { abs: 0.03 });
    }
  });

  const levelOf = (
    scheduler: ReturnType<typeof of>,
    plan: ReturnType<ReturnType<typeof of>["plan"]>,
    timestep: number,
  ): number =>
    plan.calls.find((call) => call.timestep === timestep)?.sigma ?? scheduler.level(timestep).sigma;

  test("sample is start, evaluate, the plan's sampler and finish", async () => {
    const scheduler = of("DDIMScheduler", { set_alpha_to_one: false, clip_sample: true });
    const plan = scheduler.plan({ steps: 7 });
    const network = (input: Tensor, timestep: number) =>
      Promise.resolve(map((value) => Math.tanh(value + timestep / 999), input));
    const z = double([-1, 0.5, 2]);
    const evaluate = scheduler.evaluate(network, plan);
    const by = await last(
      samplers.ddim.run(evaluate, scheduler.start(z, plan), plan.sigmas, plan.samplerOptions),
    );
    expect(await last(scheduler.sample(network, z, plan))).toEqual(scheduler.finish(by, plan));
    // The run ends at timestep 0's level, and its own state there is smaller.
    expect(plan.sigmas[plan.sigmas.length - 1]).toBeGreaterThan(0);
    expect(Math.abs(scheduler.finish(by, plan).data[0])).toBeLessThan(Math.abs(by.data[0]));
  });

  test("guidance goes between the network and the class's limits", async () => {
    const scheduler = of("DDIMScheduler", { clip_sample: true });
    const plan = scheduler.plan({ steps: 4 });
    const network = (input: Tensor) => Promise.resolve(map((value) => 0.1 * value, input));
    const plain = scheduler.evaluate(network, plan);
    const doubled = scheduler.limit(
      async (x, sigma, step) => map((value) => 20 * value, await plain(x, sigma, step)),
      plan,
    );
    const x = double([0.5, -0.5]);
    expect(await doubled(x, plan.sigmas[1], 1)).toBeAllClose([1, -1], { abs: 0 });
  });

  test("float32 samples stay float32 and follow float64 to its precision, from noise alone too", async () => {
    for (const [name, keys] of [
      [
        "DDIMScheduler",
        {
          rescale_betas_zero_snr: true,
          prediction_type: "v_prediction",
          timestep_spacing: "trailing",
          clip_sample: false,
        },
      ],
      ["FlowMatchHeunDiscreteScheduler", { shift: 3 }],
      ["FlowMatchEulerDiscreteScheduler", { shift: 3 }],
      ["IPNDMScheduler", {}],
    ] as const) {
      const scheduler = of(name, keys);
      const plan = scheduler.plan({ steps: 10 });
      const network = (input: Tensor, timestep: number) =>
        Promise.resolve(map((value) => Math.tanh(value + Math.sin(timestep / 100)), input));
      const z = [-1.3, 0.27, 0.9].map(Math.fround);
      const want = await last(scheduler.sample(network, double(z), plan));
      const got = await last(scheduler.sample(network, tensor(Float32Array.from(z), [3, 1]), plan));
      expect(got.data).toBeInstanceOf(Float32Array);
      expect(got, name).toBeAllClose(want, { abs: 2e-5 });
    }
  });
});
