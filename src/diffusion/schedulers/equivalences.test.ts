/** Classes that are one method under different names must agree, and one network in different words must give one run. */
import { describe, expect, test } from "vitest";
import { type Tensor, axpby, map, rows, tensor } from "../../base/tensor.ts";
import { last } from "../last.ts";
import { samplers } from "../samplers/index.ts";
import { schedulerClasses } from "./config.ts";
import type { PlanRequest, SchedulerPlan } from "./plan.ts";
import { type Scheduler, schedulerFromConfig } from "./scheduler.ts";

const of = (name: string, keys: object = {}): Scheduler =>
  schedulerFromConfig({ _class_name: `${name}Scheduler`, ...keys });
const double = (values: readonly number[]): Tensor => tensor(Float64Array.from(values), [values.length, 1]);

/** A prediction of x0 that is no Gaussian's, smooth and bounded. */
const predict = (x: Tensor, sigma: number): Tensor =>
  map((value) => Math.tanh(value / (1 + sigma)) + 0.3 * Math.sin(value / (2 + sigma)), x);

/** Noise of the step, the same for every class. */
const noise = (index: number, shape: readonly number[]): Tensor =>
  tensor(
    Float64Array.from({ length: shape[0] }, (_, i) => Math.sin(7 * index + 3 * i + 1)),
    shape,
  );

/** The last x, in our form, of a class's plan from the same x. */
async function run(scheduler: Scheduler, request: PlanRequest, z = [1.3, -0.4, 0.2]): Promise<Tensor> {
  const plan = scheduler.plan(request);
  const x = double(z.map((value) => plan.sigmas[0] * value));
  const evaluate = scheduler.limit((at, sigma) => Promise.resolve(predict(at, sigma)), plan);
  return last(samplers[plan.sampler].run(evaluate, x, plan.sigmas, { ...plan.samplerOptions, noise }));
}

/** A run of 10 steps at timesteps 900, 800, ..., 0. */
const HUNDREDS = { steps: 10 };
const hundreds = Array.from({ length: 10 }, (_, i) => 900 - 100 * i);
const NO_CLIP = { clip_sample: false };

describe("first order, without noise", () => {
  test("DDIM, Euler, LMS of one slope, DPM-Solver++ of order 1 and TCD with eta 0 are one method", async () => {
    const want = await run(of("DDIM", NO_CLIP), HUNDREDS);
    const runs = {
      euler: await run(of("EulerDiscrete", { timestep_spacing: "leading" }), HUNDREDS),
      lms: await run(of("LMSDiscrete", { timestep_spacing: "leading" }), {
        ...HUNDREDS,
        samplerOptions: { order: 1 },
      }),
      dpm: await run(of("DPMSolverMultistep", { solver_order: 1 }), { timesteps: hundreds }),
      single: await run(of("DPMSolverSinglestep", { solver_order: 1 }), { timesteps: hundreds }),
    };
    // Tables that are kept in float32 have seven digits.
    for (const [name, got] of Object.entries(runs)) expect(got, name).toBeAllClose(want, { abs: 2e-6 });
  });

  test("TCD with eta 0 is DDIM that ends at timestep 0's level", async () => {
    const betas = { beta_start: 1e-4, beta_end: 0.02, beta_schedule: "linear" };
    const tcd = of("TCD", { ...betas, original_inference_steps: 10 });
    const plan = tcd.plan({ steps: 10, samplerOptions: { eta: 0 } });
    expect(plan.timesteps).toEqual(hundreds.map((t) => t + 99));
    const euler = of("EulerDiscrete", betas).plan({ sigmas: [...plan.sigmas] });
    expect(euler.sigmas).toBeAllClose(plan.sigmas, { rel: 1e-7 });
    const by = async (one: SchedulerPlan): Promise<Tensor> =>
      last(
        samplers[one.sampler].run(
          (x, sigma) => Promise.resolve(predict(x, sigma)),
          double([40, -9]),
          one.sigmas,
          one.samplerOptions,
        ),
      );
    expect(await by(plan)).toBeAllClose(await by(euler), { abs: 2e-6 });
  });

  test("DEIS, UniPC without its corrector and dpmsolver of order 1 are one method, to timestep 0's level", async () => {
    const keys = { solver_order: 1, timestep_spacing: "trailing" };
    const want = await run(
      of("DPMSolverMultistep", { ...keys, algorithm_type: "dpmsolver", final_sigmas_type: "sigma_min" }),
      { steps: 8 },
    );
    expect(await run(of("DEISMultistep", keys), { steps: 8 })).toBeAllClose(want, { abs: 1e-12 });
    const unipc = { ...keys, final_sigmas_type: "sigma_min", disable_corrector: [0, 1, 2, 3, 4, 5, 6, 7] };
    expect(await run(of("UniPCMultistep", unipc), { steps: 8 })).toBeAllClose(want, { abs: 1e-12 });
    expect(await run(of("UniPCMultistep", { ...unipc, predict_x0: false }), { steps: 8 })).toBeAllClose(
      want,
      { abs: 1e-12 },
    );
  });

  test("flow matching by Euler is DPM-Solver++ of order 1 at the same times", async () => {
    const flow = { use_flow_sigmas: true, prediction_type: "flow_prediction", flow_shift: 3 };
    const dpm = of("DPMSolverMultistep", { ...flow, solver_order: 1 });
    const times = dpm.plan({ steps: 6 }).table!.slice(0, -1);
    const euler = of("FlowMatchEulerDiscrete");
    expect(await run(euler, { sigmas: times })).toBeAllClose(await run(dpm, { steps: 6 }), { abs: 1e-12 });
  });

  test("EDM's two classes are one method at order 1", async () => {
    const dpm = of("EDMDPMSolverMultistep", { solver_order: 1 });
    expect(await run(dpm, { steps: 9 })).toBeAllClose(await run(of("EDMEuler"), { steps: 9 }), {
      abs: 1e-12,
    });
  });
});

describe("first order, with the posterior's noise", () => {
  test("DDPM with small variance, DDIM with eta 1, Euler ancestral and SDE-DPM-Solver++ of order 1 are one method", async () => {
    const want = await run(of("DDPM", NO_CLIP), HUNDREDS);
    const runs = {
      ddim: await run(of("DDIM", NO_CLIP), { ...HUNDREDS, samplerOptions: { eta: 1 } }),
      ancestral: await run(of("EulerAncestralDiscrete", { timestep_spacing: "leading" }), HUNDREDS),
      sde: await run(of("DPMSolverMultistep", { solver_order: 1, algorithm_type: "sde-dpmsolver++" }), {
        timesteps: hundreds,
      }),
    };
    for (const [name, got] of Object.entries(runs)) expect(got, name).toBeAllClose(want, { abs: 3e-6 });
  });

  test("stochastic flow matching and FlowMatchLCM are one rule", async () => {
    const keys = { shift: 3 };
    const want = await run(of("FlowMatchLCM", keys), { steps: 5 });
    expect(
      await run(of("FlowMatchEulerDiscrete", { ...keys, stochastic_sampling: true }), { steps: 5 }),
    ).toEqual(want);
  });

  test("LCM without its boundary (timestep 0 scaled away) renews as TCD with eta 1", async () => {
    // timestep_scaling so large that c_out is 1 and c_skip is 0; TCD's level below is that of timestep 0, here nearly none.
    const lcm = of("LCM", { timestep_scaling: 1e9, beta_start: 1e-13 });
    const tcd = of("TCD", { beta_start: 1e-13 });
    const [a, b] = [lcm, tcd].map((one) =>
      one.plan({ steps: 4, samplerOptions: one === tcd ? { eta: 1 } : {} }),
    );
    expect(a.timesteps).toEqual(b.timesteps);
    // Their ends differ: TCD goes on to timestep 0's level.
    const x = double([5, -3]);
    const first = async (plan: SchedulerPlan, scheduler: Scheduler): Promise<Tensor> => {
      const evaluate = scheduler.limit((at, sigma) => Promise.resolve(predict(at, sigma)), plan);
      const steps = samplers[plan.sampler].run(evaluate, x, plan.sigmas, { ...plan.samplerOptions, noise });
      for (let k = 0; k < 3; k++) await steps.next();
      const { value } = await steps.next();
      return (value as { x: Tensor }).x;
    };
    expect(await first(a, lcm)).toBeAllClose(await first(b, tcd), { abs: 2e-6 });
  });
});

describe("one network in other words gives the same run", () => {
  /** The output of a network that predicts as `predict`, in the words of a config, at its input. */
  function network(scheduler: Scheduler, plan: SchedulerPlan, told: number[] = []) {
    return (input: Tensor, timestep: number): Promise<Tensor> => {
      told.push(timestep);
      const { sigma } = plan.calls[told.length - 1];
      const { cIn, cSkip, cOut } = scheduler.call(sigma);
      const x = map((value) => value / cIn, input);
      return Promise.resolve(axpby(1 / cOut, predict(x, sigma), -cSkip / cOut, x));
    };
  }

  const TYPES = ["epsilon", "v_prediction", "sample"];
  const typed = schedulerClasses.filter(
    (name) => !name.startsWith("FlowMatch") && !/^(IPNDM|EDM|PNDM)/.test(name),
  );

  test.each(typed)("%s: noise, v and x0", async (name) => {
    const z = double([0.9, -1.1, 0.1]);
    const runs = await Promise.all(
      TYPES.map((type) => {
        const scheduler = schedulerFromConfig({ _class_name: name, prediction_type: type });
        const plan = scheduler.plan({ steps: 6 });
        return last(scheduler.sample(network(scheduler, plan), z, plan, { noise }));
      }),
    );
    expect(runs[1]).toBeAllClose(runs[0], { abs: 1e-9 });
    expect(runs[2]).toBeAllClose(runs[0], { abs: 1e-9 });
  });

  test("a flow network in DPM-Solver: velocity and x0", async () => {
    const keys = { use_flow_sigmas: true, flow_shift: 2 };
    const runs = await Promise.all(
      ["flow_prediction", "sample", "epsilon"].map((type) => {
        const scheduler = of("DPMSolverMultistep", { ...keys, prediction_type: type });
        const plan = scheduler.plan({ steps: 7 });
        return last(scheduler.sample(network(scheduler, plan), double([0.5, -2]), plan));
      }),
    );
    expect(runs[1]).toBeAllClose(runs[0], { abs: 1e-9 });
    expect(runs[2]).toBeAllClose(runs[0], { abs: 1e-9 });
  });

  test("inverted sigmas: the negative velocity, told the share of x0", async () => {
    const told: readonly number[][] = [[], []];
    const runs = await Promise.all(
      [false, true].map((invert_sigmas, i) => {
        const scheduler = of("FlowMatchEulerDiscrete", { invert_sigmas, shift: 2 });
        const plan = scheduler.plan({ steps: 5 });
        return last(scheduler.sample(network(scheduler, plan, told[i]), double([0.5, -2]), plan));
      }),
    );
    expect(runs[1]).toBeAllClose(runs[0], { abs: 1e-6 });
    expect(told[1]).toBeAllClose(
      told[0].map((timestep) => 1000 - timestep),
      { abs: 1e-3 },
    );
  });
});

describe("the state of a class is ours times alpha", () => {
  test("so its first state is init_noise_sigma times the noise, in every class", () => {
    for (const name of schedulerClasses) {
      const scheduler = schedulerFromConfig({ _class_name: name });
      const plan = scheduler.plan({ steps: 5 });
      const start = scheduler.start(double([1]), plan).data[0];
      expect(start * scheduler.level(plan.sigmas[0]).alpha, name).toBeAllClose(plan.initNoiseSigma, {
        rel: 1e-12,
      });
    }
  });

  test("leading spacing starts the sigma classes with the signal's variance too, linspace and trailing without", () => {
    for (const name of ["EulerDiscrete", "HeunDiscrete", "LMSDiscrete", "KDPM2Discrete", "DPMSolverSDE"]) {
      for (const timestep_spacing of ["leading", "linspace", "trailing"]) {
        const plan = of(name, { timestep_spacing }).plan({ steps: 5 });
        const [max] = plan.sigmas;
        const want = timestep_spacing === "leading" ? Math.sqrt(max * max + 1) : max;
        expect(plan.initNoiseSigma).toBeAllClose(want, { rel: 1e-14 });
      }
    }
  });
});

test("the rows of a batch do not see each other, thresholds and all", async () => {
  for (const name of schedulerClasses) {
    const scheduler = schedulerFromConfig({
      _class_name: name,
      ...(/^(DDPM|DDIM|DPMSolver(Multi|Single)|UniPC|DEIS|EDMDPM)/.test(name)
        ? { thresholding: true, sample_max_value: 1.5 }
        : {}),
    });
    const plan = scheduler.plan({ steps: 5 });
    const batch = tensor(Float64Array.of(2, -1, 0.3, 0.1, 1.4, -2.2), [3, 2]);
    const told = (input: Tensor, timestep: number): Promise<Tensor> =>
      Promise.resolve(map((value) => Math.tanh(value + Math.sin(timestep)), input));
    const still = (_: number, shape: readonly number[]): Tensor =>
      tensor(new Float64Array(shape[0] * 2).fill(0.3), shape);
    const together = await last(scheduler.sample(told, batch, plan, { noise: still }));
    for (let row = 0; row < 3; row++) {
      const alone = await last(scheduler.sample(told, rows(batch, row, row + 1), plan, { noise: still }));
      expect(alone.data, name).toEqual(rows(together, row, row + 1).data);
    }
  }
});
