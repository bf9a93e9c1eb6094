/**
 * The first step of each class in the class's own coordinates, by the formula that its paper or its code prints: with a = sqrt(abar) and
 * s = sqrt(1 - abar) of the timestep, `out` the network's output for the input that the class gives it.
 */
import { describe, expect, test } from "vitest";
import { type Tensor, map, tensor } from "../../base/tensor.ts";
import { alphaBars, linearBetas } from "../betas.ts";
import { type PlanRequest } from "./plan.ts";
import { schedulerFromConfig } from "./scheduler.ts";

const Z = [0.7, -1.3];
const NOISE = [0.4, 1.1];
const double = (values: readonly number[]): Tensor => tensor(Float64Array.from(values), [2, 1]);
const network = (input: Tensor, timestep: number): Promise<Tensor> =>
  Promise.resolve(map((value) => Math.tanh(0.6 * value + Math.cos(timestep)), input));

const abars = alphaBars(linearBetas());
const of = (t: number) => ({ a: Math.sqrt(abars[t]), s: Math.sqrt(1 - abars[t]) });
const DDPM_BETAS = { beta_start: 1e-4, beta_end: 0.02, beta_schedule: "linear" };

interface Begin {
  /** The class's first state. */
  readonly x: readonly number[];
  readonly out: readonly number[];
  /** The state after the first step, or what the second call sees of it. */
  readonly next: readonly number[];
  readonly timesteps: readonly number[];
  readonly table: readonly number[];
}

/** The first two states of a class's run, in its own coordinates, and the first output. */
async function begin(name: string, keys: object, request: PlanRequest): Promise<Begin> {
  const scheduler = schedulerFromConfig({ _class_name: `${name}Scheduler`, ...keys });
  const plan = scheduler.plan(request);
  const states: (readonly number[])[] = [];
  let out: readonly number[] = [];
  const steps = scheduler.sample(
    async (input, timestep) => {
      const { sigma } = plan.calls[states.length];
      const factor = scheduler.level(sigma).alpha / scheduler.call(sigma).cIn;
      states.push([...input.data].map((value) => value * factor));
      const made = await network(input, timestep);
      if (states.length === 1) out = [...made.data];
      return made;
    },
    double(Z),
    plan,
    { noise: () => double(NOISE) },
  );
  let end = await steps.next();
  while (!end.done) end = await steps.next();
  if (states.length === 1) states.push([...end.value.data]);
  return { x: states[0], out, next: states[1], timesteps: plan.timesteps, table: plan.table ?? [] };
}

const each = (f: (i: number) => number): number[] => [0, 1].map(f);

describe("in variance-preserving coordinates", () => {
  test("DDPM, Eq. 7 of the paper: posterior mean of the clipped x0, and its variance", async () => {
    const { x, out, next, timesteps } = await begin("DDPM", { clip_sample_range: 0.8 }, { steps: 4 });
    const [t, p] = timesteps;
    const { a, s } = of(t);
    const alpha = abars[t] / abars[p];
    const want = each((i) => {
      const x0 = Math.min(Math.max((x[i] - s * out[i]) / a, -0.8), 0.8);
      const mean =
        (Math.sqrt(abars[p]) * (1 - alpha) * x0 + Math.sqrt(alpha) * (1 - abars[p]) * x[i]) / (1 - abars[t]);
      return mean + Math.sqrt(((1 - abars[p]) / (1 - abars[t])) * (1 - alpha)) * NOISE[i];
    });
    expect(next).toBeAllClose(want, { abs: 1e-12 });
  });

  test("DDPM of large variance: beta_t", async () => {
    const keys = { variance_type: "fixed_large", clip_sample: false };
    const [small, large] = [
      await begin("DDPM", { clip_sample: false }, { steps: 4 }),
      await begin("DDPM", keys, { steps: 4 }),
    ];
    const [t, p] = large.timesteps;
    const beta = 1 - abars[t] / abars[p];
    const sd = Math.sqrt(beta) - Math.sqrt(((1 - abars[p]) / (1 - abars[t])) * beta);
    expect(each((i) => large.next[i] - small.next[i])).toBeAllClose(
      NOISE.map((noise) => sd * noise),
      { abs: 1e-12 },
    );
  });

  test("DDIM, Eq. 12 of the paper, with the raw output as the direction back", async () => {
    const { x, out, next, timesteps } = await begin(
      "DDIM",
      { clip_sample: true },
      { steps: 4, samplerOptions: { eta: 0.6 } },
    );
    const [t, p] = timesteps;
    const { a, s } = of(t);
    const w = 0.6 * Math.sqrt(((1 - abars[p]) / (1 - abars[t])) * (1 - abars[t] / abars[p]));
    const want = each((i) => {
      const x0 = Math.min(Math.max((x[i] - s * out[i]) / a, -1), 1);
      return Math.sqrt(abars[p]) * x0 + Math.sqrt(1 - abars[p] - w * w) * out[i] + w * NOISE[i];
    });
    expect(next).toBeAllClose(want, { abs: 1e-12 });
  });

  test("DDIM under zero terminal SNR: x is noise alone, and v is -x0", async () => {
    const keys = {
      rescale_betas_zero_snr: true,
      prediction_type: "v_prediction",
      timestep_spacing: "trailing",
      clip_sample: false,
    };
    const { x, out, next } = await begin("DDIM", keys, { steps: 1 });
    expect(x).toBeAllClose(Z, { rel: 1e-12 });
    expect(next).toBeAllClose(
      out.map((v) => -v),
      { abs: 1e-7 },
    );
  });

  test("PNDM's transfer, Eq. 11 of the paper", async () => {
    const { x, out, next, timesteps } = await begin("PNDM", { skip_prk_steps: true }, { steps: 5 });
    const [t, p] = [timesteps[0], timesteps[1]].map((time) => abars[time]);
    const want = each((i) => {
      const denominator = t * Math.sqrt(1 - p) + Math.sqrt(t * (1 - t) * p);
      return Math.sqrt(p / t) * x[i] - ((p - t) * out[i]) / denominator;
    });
    expect(next).toBeAllClose(want, { abs: 1e-12 });
  });

  test("LCM: boundary scalings of the timestep, then all noise anew", async () => {
    const { x, out, next, timesteps } = await begin(
      "LCM",
      { ...DDPM_BETAS, timestep_scaling: 0.002 },
      { steps: 3 },
    );
    const [t, p] = timesteps;
    const [{ a, s }, to] = [of(t), of(p)];
    const k = 0.002 * t;
    const want = each((i) => {
      const denoised =
        (k / Math.sqrt(k * k + 0.25)) * ((x[i] - s * out[i]) / a) + (0.25 / (k * k + 0.25)) * x[i];
      return to.a * denoised + to.s * NOISE[i];
    });
    expect(next).toBeAllClose(want, { abs: 1e-12 });
  });

  test("TCD: to timestep (1 - eta) p, then noise up to p", async () => {
    const { x, out, next, timesteps } = await begin("TCD", DDPM_BETAS, {
      steps: 2,
      samplerOptions: { eta: 0.25 },
    });
    const [t, p] = timesteps;
    const below = Math.floor(0.75 * p);
    const [{ a, s }, to] = [of(t), of(below)];
    const want = each((i) => {
      const y = (to.a * (x[i] - s * out[i])) / a + to.s * out[i];
      return Math.sqrt(abars[p] / abars[below]) * y + Math.sqrt(1 - abars[p] / abars[below]) * NOISE[i];
    });
    expect(next).toBeAllClose(want, { abs: 1e-12 });
  });

  test("iPNDM: v turned into eps, from noise alone", async () => {
    const { x, next } = await begin("IPNDM", {}, { steps: 2 });
    // b = 1 and a = 0: eps is x, the prediction is 0, and the next b is 1/2.
    expect(x).toBeAllClose(Z, { rel: 1e-12 });
    expect(next).toBeAllClose(
      Z.map((z) => z / 2),
      { abs: 1e-7 },
    );
  });

  test("DPM-Solver++ and DPM-Solver, Eq. 4.1 of both papers: order 1", async () => {
    const keys = { solver_order: 1, final_sigmas_type: "sigma_min" };
    for (const algorithm_type of ["dpmsolver++", "dpmsolver"]) {
      const { x, out, next, table } = await begin(
        "DPMSolverMultistep",
        { ...keys, algorithm_type },
        { steps: 3 },
      );
      const [from, to] = table
        .slice(0, 2)
        .map((sigma) => ({ a: 1 / Math.sqrt(sigma ** 2 + 1), s: sigma / Math.sqrt(sigma ** 2 + 1) }));
      const h = Math.log(table[0] / table[1]);
      const want = each((i) => {
        const x0 = (x[i] - from.s * out[i]) / from.a;
        return algorithm_type === "dpmsolver++"
          ? (to.s / from.s) * x[i] - to.a * Math.expm1(-h) * x0
          : (to.a / from.a) * x[i] - to.s * Math.expm1(h) * out[i];
      });
      expect(next, algorithm_type).toBeAllClose(want, { abs: 1e-12 });
    }
  });
});

describe("in x0 + sigma noise", () => {
  test("Euler of eps, v and x0, from a scaled input", async () => {
    const predictions: Readonly<Record<string, (x: number, out: number, sigma: number) => number>> = {
      epsilon: (x, out, sigma) => x - sigma * out,
      v_prediction: (x, out, sigma) => x / (sigma ** 2 + 1) - (out * sigma) / Math.sqrt(sigma ** 2 + 1),
      sample: (_, out) => out,
    };
    for (const [prediction_type, x0Of] of Object.entries(predictions)) {
      const { x, out, next, table } = await begin("EulerDiscrete", { prediction_type }, { steps: 3 });
      expect(x).toBeAllClose(
        Z.map((z) => z * table[0]),
        { rel: 1e-12 },
      );
      const want = each(
        (i) => x[i] + ((x[i] - x0Of(x[i], out[i], table[0])) / table[0]) * (table[1] - table[0]),
      );
      expect(next, prediction_type).toBeAllClose(want, { rel: 1e-12 });
    }
  });

  test("Euler's churn comes after the output", async () => {
    const { x, out, next, table } = await begin(
      "EulerDiscrete",
      {},
      { steps: 4, samplerOptions: { churn: 1, churnNoise: 1.01 } },
    );
    const hat = table[0] * (1 + 1 / 4);
    const want = each((i) => {
      const noisy = x[i] + NOISE[i] * 1.01 * Math.sqrt(hat ** 2 - table[0] ** 2);
      return noisy + out[i] * (table[1] - hat);
    });
    expect(next).toBeAllClose(want, { rel: 1e-12 });
  });

  test("Euler ancestral: down, then noise up", async () => {
    const { x, out, next, table } = await begin("EulerAncestralDiscrete", {}, { steps: 4 });
    const [sigma, to] = table;
    const up = Math.sqrt((to ** 2 * (sigma ** 2 - to ** 2)) / sigma ** 2);
    const down = Math.sqrt(to ** 2 - up ** 2);
    expect(next).toBeAllClose(
      each((i) => x[i] + out[i] * (down - sigma) + up * NOISE[i]),
      { rel: 1e-11 },
    );
  });

  test("the second calls: Heun's at the step's end, KDPM2's in its middle, DPMSolverSDE's there with noise", async () => {
    const heun = await begin("HeunDiscrete", DDPM_BETAS, { steps: 4 });
    expect(heun.next).toBeAllClose(
      each((i) => heun.x[i] + heun.out[i] * (heun.table[1] - heun.table[0])),
      { rel: 1e-12 },
    );
    const middle = (table: readonly number[]): number => Math.sqrt(table[0] * table[1]);
    const kdpm = await begin("KDPM2Discrete", DDPM_BETAS, { steps: 4 });
    expect(kdpm.next).toBeAllClose(
      each((i) => kdpm.x[i] + kdpm.out[i] * (middle(kdpm.table) - kdpm.table[0])),
      { rel: 1e-12 },
    );
    const sde = await begin("DPMSolverSDE", DDPM_BETAS, { steps: 4 });
    const [sigma, m] = [sde.table[0], middle(sde.table)];
    const up = m * Math.sqrt(1 - (m / sigma) ** 2);
    const down = (m * m) / sigma;
    const want = each(
      (i) => (down / sigma) * sde.x[i] - (down / sigma - 1) * (sde.x[i] - sigma * sde.out[i]) + up * NOISE[i],
    );
    expect(sde.next).toBeAllClose(want, { rel: 1e-11 });
  });

  test("EDM: skip and output scalings of both signs", async () => {
    for (const [prediction_type, sign] of [
      ["epsilon", 1],
      ["v_prediction", -1],
    ] as const) {
      const { x, out, next, table } = await begin(
        "EDMEuler",
        { prediction_type, sigma_data: 0.7 },
        { steps: 3 },
      );
      const [sigma, to] = table;
      const total = sigma ** 2 + 0.49;
      const want = each((i) => {
        const x0 = (0.49 / total) * x[i] + ((sign * sigma * 0.7) / Math.sqrt(total)) * out[i];
        return x[i] + ((x[i] - x0) / sigma) * (to - sigma);
      });
      expect(next, prediction_type).toBeAllClose(want, { rel: 1e-12 });
    }
  });
});

describe("on a straight path", () => {
  test("Euler moves by the velocity, from noise alone, and inverted the other way", async () => {
    for (const invert_sigmas of [false, true]) {
      const { x, out, next, table } = await begin(
        "FlowMatchEulerDiscrete",
        { shift: 3, invert_sigmas },
        { steps: 4 },
      );
      expect(x).toBeAllClose(Z, { rel: 1e-7 });
      expect(next).toBeAllClose(
        each((i) => x[i] + (table[1] - table[0]) * out[i]),
        { abs: 1e-7 },
      );
    }
  });

  test("the rule that renews", async () => {
    const { x, out, next, table } = await begin("FlowMatchLCM", { shift: 3 }, { steps: 4 });
    const to = table[1];
    expect(next).toBeAllClose(
      each((i) => (1 - to) * (x[i] - out[i]) + to * NOISE[i]),
      { abs: 1e-7 },
    );
  });

  test("DPM-Solver++ of order 1 with alpha = 1 - t", async () => {
    const keys = {
      use_flow_sigmas: true,
      prediction_type: "flow_prediction",
      flow_shift: 2,
      solver_order: 1,
    };
    const { x, out, next, table } = await begin("DPMSolverMultistep", keys, { steps: 4 });
    const [t, to] = table;
    const h = Math.log((1 - to) / to) - Math.log((1 - t) / t);
    const want = each((i) => (to / t) * x[i] - (1 - to) * Math.expm1(-h) * (x[i] - t * out[i]));
    expect(next).toBeAllClose(want, { abs: 1e-10 });
  });
});
