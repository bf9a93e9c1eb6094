/** Plans worked out by hand from the classes' rules, where a table is short enough to follow. */
import { describe, expect, test } from "vitest";
import { betaQuantile } from "../../base/betaDistribution.ts";
import { NOISE_ALONE, linearBetas, timestepSigmas } from "../betas.ts";
import { shiftTime } from "../flowSigmas.ts";
import type { PlanRequest, SchedulerPlan } from "./plan.ts";
import { schedulerFromConfig } from "./scheduler.ts";

const plan = (name: string, keys: object, request: PlanRequest): SchedulerPlan =>
  schedulerFromConfig({ _class_name: `${name}Scheduler`, ...keys }).plan(request);

/** Noise levels of the default betas, 1e-4 to 0.02 in 1000 timesteps. */
const table = timestepSigmas(linearBetas());
const LINEAR = { beta_start: 1e-4, beta_end: 0.02 };
const single = (values: readonly number[]): number[] => values.map(Math.fround);

describe("classes that step from timestep to timestep", () => {
  test("DDPM ends at no noise, DDIM at no noise or at timestep 0's level, TCD always at that", () => {
    const sigmas = [600, 300, 0].map((t) => table[t]);
    const three = { num_train_timesteps: 1000, timestep_spacing: "leading" };
    expect(plan("DDPM", three, { timesteps: [600, 300, 0] }).sigmas).toEqual([...sigmas, 0]);
    expect(plan("DDIM", {}, { steps: 4 }).sigmas).toEqual([750, 500, 250, 0].map((t) => table[t]).concat(0));
    expect(plan("DDIM", { set_alpha_to_one: false }, { steps: 4 }).sigmas[4]).toBe(table[0]);
    expect(plan("TCD", LINEAR, { timesteps: [600, 300] }).sigmas.length).toBe(3);
  });

  test("DDIM's step goes to t - floor(N/n), also where the next timestep is another", () => {
    const { samplerOptions, timesteps } = plan("DDIM", { timestep_spacing: "linspace" }, { steps: 4 });
    const counted = samplerOptions.timesteps as {
      values: number[];
      stride: number;
      sigmaOf(t: number): number;
    };
    expect(timesteps).toEqual([999, 666, 333, 0]);
    expect(counted.values).toEqual(timesteps);
    expect(counted.stride).toBe(250);
    expect([counted.sigmaOf(749), counted.sigmaOf(-250)]).toEqual([table[749], 0]);
  });

  test("DDPM adds noise at its end only where its last timestep is above 0, of the variance it is told", () => {
    const { samplerOptions } = plan(
      "DDPM",
      { variance_type: "fixed_large", timestep_spacing: "trailing" },
      { steps: 4 },
    );
    expect(samplerOptions).toEqual({ variance: "large", noiseAtEnd: "as-before" });
    expect(plan("DDPM", { variance_type: "fixed_small_log" }, { steps: 4 }).samplerOptions).toEqual({
      variance: "small",
      noiseAtEnd: "none",
    });
    expect(plan("DDPM", { variance_type: "learned_range" }, { steps: 4 }).samplerOptions).toMatchObject({
      variance: "learned",
    });
  });

  test("PNDM repeats its second call, or starts with three blocks of four", () => {
    const short = plan("PNDM", { skip_prk_steps: true }, { steps: 5 });
    expect(short.timesteps).toEqual([800, 600, 600, 400, 200, 0]);
    expect(short.sigmas).toHaveLength(6);
    expect(plan("PNDM", { skip_prk_steps: true }, { steps: 1 }).timesteps).toEqual([0]);
    // T = 800, 600, 400, 200, 0 and g = 100.
    const long = plan("PNDM", {}, { steps: 5 });
    expect(long.timesteps).toEqual([800, 700, 700, 600, 600, 500, 500, 400, 400, 300, 300, 200, 200, 0]);
    expect(long.samplerOptions).toMatchObject({ start: "runge-kutta", space: "eps" });
    expect(plan("PNDM", { prediction_type: "v_prediction" }, { steps: 5 }).samplerOptions).toMatchObject({
      space: "v",
    });
  });

  test("LCM takes n of its 50 from the noisy end, and all of them for 50", () => {
    const fifty = Array.from({ length: 50 }, (_, i) => 20 * (50 - i) - 1);
    expect(plan("LCM", {}, { steps: 50 }).timesteps).toEqual(fifty);
    expect(plan("LCM", {}, { steps: 3 }).timesteps).toEqual([fifty[0], fifty[16], fifty[33]]);
    expect(plan("LCM", { original_inference_steps: 8 }, { steps: 2 }).timesteps).toEqual([999, 499]);
  });

  test("zero terminal SNR starts at noise alone", () => {
    for (const name of ["DDPM", "DDIM", "LCM", "TCD"]) {
      const keys = {
        rescale_betas_zero_snr: true,
        timestep_spacing: "trailing",
        prediction_type: "v_prediction",
      };
      expect(plan(name, keys, { steps: 2 }).sigmas[0]).toBe(NOISE_ALONE);
    }
  });
});

describe("classes that keep x0 + sigma noise", () => {
  test("Euler's table is linear between timesteps, and ends at 0 or at timestep 0's level", () => {
    const { timesteps, sigmas } = plan("EulerDiscrete", {}, { steps: 3 });
    expect(timesteps).toEqual([999, 499.5, 0]);
    expect(sigmas).toEqual([...single([table[999], (table[499] + table[500]) / 2, table[0]]), 0]);
    const { table: ends } = plan("EulerDiscrete", { final_sigmas_type: "sigma_min" }, { steps: 3 });
    expect(ends!.slice(2)).toEqual(single([table[0], table[0]]));
  });

  test("log_linear has a value more than the steps visit, and churn is shared out over all", () => {
    const {
      table: all,
      sigmas,
      samplerOptions,
    } = plan(
      "EulerDiscrete",
      { interpolation_type: "log_linear" },
      { steps: 4, samplerOptions: { churn: 3 } },
    );
    expect(all).toHaveLength(6);
    expect(sigmas).toEqual(all!.slice(0, 5));
    const ratio = all![1] / all![0];
    for (let i = 1; i < 5; i++) expect(all![i] / all![i - 1]).toBeAllClose(ratio, { rel: 1e-6 });
    expect(all![4]).toBe(Math.fround(table[0]));
    expect(samplerOptions.churn).toBeAllClose((3 * 4) / 5, { rel: 1e-15 });
  });

  test("curves run between the ends of the spaced list, or those of Euler's config", () => {
    const leading = { timestep_spacing: "leading", use_exponential_sigmas: true };
    const { sigmas } = plan("LMSDiscrete", leading, { steps: 4 });
    expect(sigmas).toBeAllClose([...single([table[750], sigmas[1], sigmas[2], table[0]]), 0], { rel: 1e-7 });
    expect(sigmas[1] / sigmas[0]).toBeAllClose(sigmas[2] / sigmas[1], { rel: 1e-6 });
    const own = plan("EulerDiscrete", { ...leading, sigma_max: 9, sigma_min: 0.09 }, { steps: 3 });
    expect(own.sigmas).toBeAllClose([9, 0.9, 0.09, 0], { rel: 1e-6 });
    const beta = plan("HeunDiscrete", { ...LINEAR, use_beta_sigmas: true }, { steps: 3 });
    const [max, min] = [table[999], table[0]];
    expect(beta.sigmas).toBeAllClose([max, min + betaQuantile(0.5, 0.6, 0.6) * (max - min), min, 0], {
      rel: 1e-6,
    });
  });

  test("continuous v networks are told ln(sigma)/4", () => {
    const keys = { timestep_type: "continuous", prediction_type: "v_prediction" };
    const { timesteps, sigmas } = plan("EulerDiscrete", keys, { steps: 3 });
    expect(timesteps).toBeAllClose(
      sigmas.slice(0, 3).map((sigma) => Math.log(sigma) / 4),
      { rel: 1e-7 },
    );
  });

  test("sigmas of one's own are told their times, and end as they end", () => {
    const { timesteps, sigmas } = plan("EulerDiscrete", {}, { sigmas: [table[700], table[30], 0.5] });
    expect(timesteps).toBeAllClose([700, 30], { abs: 2e-3 });
    expect(sigmas).toEqual(single([table[700], table[30], 0.5]));
  });

  test("second-order classes repeat their levels, and call at the step's end or in its middle", () => {
    const heun = plan("HeunDiscrete", LINEAR, { steps: 3 });
    const [a, b, c] = heun.sigmas;
    expect(heun.table).toEqual([a, b, b, c, c, 0]);
    expect(heun.timesteps).toEqual([999, 499.5, 499.5, 0, 0]);
    const kdpm = plan("KDPM2Discrete", LINEAR, { steps: 3 });
    expect(kdpm.table).toEqual([a, b, b, c, c, 0, 0, 0]);
    expect(kdpm.calls.map(({ sigma }) => sigma)).toBeAllClose([a, Math.sqrt(a * b), b, Math.sqrt(b * c), c], {
      rel: 1e-14,
    });
    // Euler ancestral goes down to b^2/a, so that the middle is b.
    const ancestral = plan("KDPM2AncestralDiscrete", LINEAR, { steps: 3 });
    expect(ancestral.calls.map(({ sigma }) => sigma)).toBeAllClose([a, b, b, c, c], { rel: 1e-14 });
    expect(plan("DPMSolverSDE", LINEAR, { steps: 3 }).table).toEqual(heun.table);
    expect(plan("DPMSolverSDE", LINEAR, { steps: 3 }).calls.map(({ sigma }) => sigma)).toEqual(
      kdpm.calls.map(({ sigma }) => sigma),
    );
  });
});

describe("the DPM family", () => {
  test("leaves out the lowest of n + 1 timesteps, and ends at 0, at timestep 0's level, or (DEIS) always there", () => {
    const multi = plan("DPMSolverMultistep", {}, { steps: 3 });
    expect(multi.timesteps).toEqual([999, 666, 333]);
    expect(multi.sigmas).toEqual([...single([999, 666, 333].map((t) => table[t])), 0]);
    expect(plan("DPMSolverMultistep", { final_sigmas_type: "sigma_min" }, { steps: 3 }).sigmas[3]).toBe(
      Math.fround(table[0]),
    );
    expect(plan("DEISMultistep", {}, { steps: 3 }).sigmas[3]).toBe(Math.fround(table[0]));
    expect(plan("DPMSolverSinglestep", {}, { steps: 3 }).timesteps).toEqual([999, 666, 333]);
  });

  test("curves run over the whole schedule whatever the spacing, karras rounded and the others truncated", () => {
    for (const name of ["DPMSolverMultistep", "UniPCMultistep", "DEISMultistep"]) {
      const karras = plan(name, { use_karras_sigmas: true, timestep_spacing: "leading" }, { steps: 5 });
      expect([karras.sigmas[0], karras.sigmas[4]]).toEqual(single([table[999], table[0]]));
      const scheduler = schedulerFromConfig({ _class_name: `${name}Scheduler` });
      const exact = karras.sigmas.slice(0, 5).map((sigma) => scheduler.call(sigma).timestep);
      expect(karras.timesteps).toEqual(exact.map(Math.round));
      const exponential = plan(name, { use_exponential_sigmas: true }, { steps: 5 });
      const between = exponential.sigmas.slice(1, 4).map((sigma) => scheduler.call(sigma).timestep);
      expect(exponential.timesteps.slice(1, 4)).toEqual(between.map(Math.floor));
    }
    const cosine = plan(
      "DPMSolverMultistep",
      { use_karras_sigmas: true, beta_schedule: "squaredcos_cap_v2" },
      { steps: 7 },
    );
    const scheduler = schedulerFromConfig({
      _class_name: "DPMSolverMultistepScheduler",
      beta_schedule: "squaredcos_cap_v2",
    });
    expect(cosine.timesteps.slice(1, 6)).toEqual(
      cosine.sigmas.slice(1, 6).map((sigma) => Math.floor(scheduler.call(sigma).timestep)),
    );
  });

  test("after a curve the last level is repeated in UniPC and DEIS, and timestep 0's in DPM-Solver", () => {
    const keys = { use_karras_sigmas: true, final_sigmas_type: "sigma_min" };
    const own = { sigma_min: 0.5, sigma_max: 20 };
    expect(plan("UniPCMultistep", { ...keys, ...own }, { steps: 4 }).sigmas.slice(3)).toBeAllClose(
      [0.5, 0.5],
      { rel: 1e-6 },
    );
    const deis = plan("DEISMultistep", keys, { steps: 4 }).sigmas;
    expect(deis[4]).toBe(deis[3]);
    expect(plan("DPMSolverMultistep", keys, { steps: 4 }).sigmas[4]).toBe(Math.fround(table[0]));
  });

  test("lambda_min_clipped cuts off timesteps whose ln(alpha/sigma) lies below it", () => {
    const clip = -Math.log(table[799]) - 1e-9; // timesteps up to 799 stay
    const cut = plan("DPMSolverMultistep", { lambda_min_clipped: clip }, { steps: 4 });
    expect(cut.timesteps).toEqual([799, 599, 400, 200]);
    expect(plan("DPMSolverSinglestep", { lambda_min_clipped: clip }, { steps: 4 }).timesteps).toEqual(
      cut.timesteps,
    );
  });

  test("flow times fall evenly from 1 - 1/N, or UniPC's from 1 - 1e-6, shifted, and are told in thousandths", () => {
    const keys = { use_flow_sigmas: true, prediction_type: "flow_prediction", flow_shift: 3 };
    const dpm = plan("DPMSolverMultistep", keys, { steps: 3 });
    const times = [0.999, 0.666, 0.333].map((t) => shiftTime(t, 3));
    expect(dpm.table).toBeAllClose([...times, 0], { rel: 1e-6 });
    expect(dpm.timesteps).toEqual(times.map((t) => Math.floor(1000 * t)));
    expect(dpm.sigmas).toBeAllClose([...times.map((t) => t / (1 - t)), 0], { rel: 1e-4 });
    const unipc = plan("UniPCMultistep", keys, { steps: 3 });
    expect(unipc.table).toBeAllClose([1 - 1e-6, shiftTime(0.667, 3), shiftTime(0.334, 3), 0], { rel: 1e-6 });
    expect(unipc.timesteps[0]).toBe(999);
  });

  test("mu stands for flow_shift e^mu, and shift_terminal is the last time", () => {
    const keys = { use_flow_sigmas: true, prediction_type: "flow_prediction" };
    const dynamic = { ...keys, use_dynamic_shifting: true };
    for (const name of ["DPMSolverMultistep", "DPMSolverSinglestep", "DEISMultistep", "UniPCMultistep"])
      expect(plan(name, dynamic, { steps: 4, mu: Math.log(3) }).table).toBeAllClose(
        plan(name, { ...keys, flow_shift: 3 }, { steps: 4 }).table,
        { rel: 1e-6 },
      );
    const ended = plan("UniPCMultistep", { ...keys, flow_shift: 3, shift_terminal: 0.2 }, { steps: 4 });
    expect(ended.table![3]).toBeAllClose(0.2, { rel: 1e-6 });
  });

  test("UniPC's karras levels become flow times sigma/(1 + sigma)", () => {
    const keys = { use_karras_sigmas: true };
    const plain = plan("UniPCMultistep", keys, { steps: 5 });
    const flow = plan(
      "UniPCMultistep",
      { ...keys, use_flow_sigmas: true, prediction_type: "flow_prediction" },
      { steps: 5 },
    );
    expect(flow.sigmas).toBeAllClose(plain.sigmas, { rel: 2e-5 });
    expect(flow.table!.slice(0, 5)).toBeAllClose(
      plain.sigmas.slice(0, 5).map((sigma) => sigma / (1 + sigma)),
      { rel: 1e-6 },
    );
  });

  test("options of the solvers are taken over", () => {
    expect(
      plan(
        "DPMSolverMultistep",
        {
          solver_order: 3,
          algorithm_type: "sde-dpmsolver++",
          solver_type: "heun",
          lower_order_final: false,
          euler_at_final: true,
        },
        { steps: 3 },
      ).samplerOptions,
    ).toEqual({
      order: 3,
      algorithm: "sde-dpmsolver++",
      solver: "heun",
      lowerOrderFinal: false,
      eulerAtFinal: true,
      bend: "diffusers",
    });
    expect(
      plan(
        "UniPCMultistep",
        { solver_type: "bh1", disable_corrector: [0, 2, -1], predict_x0: false },
        { steps: 3 },
      ).samplerOptions,
    ).toEqual({
      order: 2,
      variant: "bh1",
      predictX0: false,
      lowerOrderFinal: true,
      disableCorrector: [0, 2],
    });
  });
});

describe("flow matching", () => {
  test("a static shift acts on the smallest time and then on the list", () => {
    const last = Math.fround(shiftTime(0.001, 3));
    const want = [1, (1 + last) / 2, last].map((t) => shiftTime(t, 3));
    for (const name of ["FlowMatchEulerDiscrete", "FlowMatchLCM", "FlowMatchHeunDiscrete"]) {
      const { sigmas } = plan(name, { shift: 3 }, { steps: 3 });
      expect(sigmas[0]).toBe(NOISE_ALONE);
      expect(sigmas.slice(1)).toBeAllClose([...want.slice(1).map((t) => t / (1 - t)), 0], { rel: 1e-5 });
    }
  });

  test("a dynamic shift acts once, then comes the terminal, then the curve", () => {
    const keys = { use_dynamic_shifting: true, shift: 5, shift_terminal: 0.1, use_exponential_sigmas: true };
    const { table: times } = plan("FlowMatchEulerDiscrete", keys, { steps: 3, mu: 1 });
    expect(times).toBeAllClose([1, Math.sqrt(0.1), 0.1, 0], { rel: 1e-6 });
    const once = plan("FlowMatchEulerDiscrete", { use_dynamic_shifting: true }, { sigmas: [1, 0.5], mu: 1 });
    expect(once.table).toBeAllClose([1, shiftTime(0.5, Math.E), 0], { rel: 1e-6 });
  });

  test("Heun calls twice at every level but the first", () => {
    const { timesteps, table: times } = plan("FlowMatchHeunDiscrete", {}, { steps: 3 });
    expect(timesteps).toBeAllClose([1000, 500.5, 500.5, 1, 1], { rel: 1e-6 });
    expect(times).toBeAllClose([1, 0.5005, 0.5005, 0.001, 0.001, 0], { rel: 1e-6 });
  });

  test("inverted, the table holds the share of x0 and rises", () => {
    const {
      table: shares,
      timesteps,
      sigmas,
    } = plan("FlowMatchEulerDiscrete", { invert_sigmas: true }, { steps: 3 });
    expect(shares).toBeAllClose([0, 0.4995, 0.999, 1], { abs: 1e-6 });
    expect(timesteps).toBeAllClose([0, 499.5, 999], { abs: 1e-3 });
    expect(sigmas).toBeAllClose([NOISE_ALONE, 0.5005 / 0.4995, 0.001 / 0.999, 0], { rel: 1e-4 });
  });

  test("timesteps of one's own are shifted; FlowMatchLCM still tells them", () => {
    const request = { timesteps: [900, 300] };
    const want = [0.9, 0.3].map((t) => 1000 * shiftTime(t, 3));
    expect(plan("FlowMatchEulerDiscrete", { shift: 3 }, request).timesteps).toBeAllClose(want, { rel: 1e-6 });
    const lcm = plan("FlowMatchLCM", { shift: 3 }, request);
    expect(lcm.timesteps).toEqual([900, 300]);
    expect(lcm.table).toBeAllClose([...want.map((t) => t / 1000), 0], { rel: 1e-6 });
  });

  test("the rule that renews: the noise, or inverted the data", () => {
    const options = (name: string, keys: object) => plan(name, keys, { steps: 3 }).samplerOptions;
    expect(options("FlowMatchLCM", {})).toEqual({});
    expect(options("FlowMatchLCM", { invert_sigmas: true })).toMatchObject({ renews: "data" });
    expect(options("FlowMatchEulerDiscrete", { stochastic_sampling: true, invert_sigmas: true })).toEqual({
      renews: "data",
    });
    expect(options("FlowMatchEulerDiscrete", { invert_sigmas: true })).toEqual({});
  });
});

describe("EDM and iPNDM", () => {
  test("EDM's grid is Karras's, told ln(sigma)/4, from sqrt(max^2 + 1)", () => {
    const { sigmas, timesteps, initNoiseSigma } = plan(
      "EDMEuler",
      { sigma_max: 16, sigma_min: 1, rho: 4 },
      { steps: 3 },
    );
    expect(sigmas).toBeAllClose([16, 1.5 ** 4, 1, 0], { rel: 1e-6 });
    expect(timesteps).toBeAllClose([Math.log(16) / 4, Math.log(1.5), 0], { abs: 1e-6 });
    expect(initNoiseSigma).toBe(Math.sqrt(257));
  });

  test("its end is 0, the last level again, or of DPM-Solver sigma_min itself", () => {
    const keys = { final_sigmas_type: "sigma_min", sigma_max: 16, sigma_min: 1 };
    expect(plan("EDMEuler", keys, { steps: 1 }).sigmas).toEqual([16, 16]);
    expect(plan("EDMDPMSolverMultistep", keys, { steps: 1 }).sigmas).toEqual([16, 1]);
    expect(
      plan("EDMDPMSolverMultistep", { ...keys, sigma_schedule: "exponential" }, { steps: 3 }).sigmas,
    ).toBeAllClose([16, 4, 1, 1], { rel: 1e-6 });
    expect(plan("EDMEuler", { ...keys, sigma_schedule: "exponential" }, { steps: 1 }).sigmas[0]).toBe(1);
  });

  test("iPNDM's b is sin(pi u/2)^2, and it is told the angle of (a, b)", () => {
    const { sigmas, timesteps } = plan("IPNDM", {}, { steps: 2 });
    // u = 1: b = 1, noise alone. u = 1/2: b = 1/2, a = sqrt(3)/2, 30 degrees.
    expect(timesteps).toBeAllClose([1, 1 / 3], { rel: 1e-12 });
    expect(sigmas).toBeAllClose([NOISE_ALONE, 1 / Math.sqrt(3), 0], { rel: 1e-12 });
    const own = plan("IPNDM", { trained_betas: [0.8, 0.6, 0] }, {});
    expect(own.sigmas).toBeAllClose([4 / 3, 3 / 4, 0], { rel: 1e-14 });
  });
});
