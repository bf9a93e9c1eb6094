import { describe, expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import { last } from "../last.ts";
import { gaussian } from "../oracles/gaussian.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { karras } from "../sigmas.ts";
import { samplerFixture } from "../../testing/samplerFixture.ts";
import { ancestralSplit } from "./eulerAncestral.ts";
import type { SamplerName } from "./index.ts";
import { samplers } from "./index.ts";

const common = samplerFixture("common");
const { weights, means, covs } = common.mixture;
const mixture = gaussianMixture({ weights, means, covariances: covs });

/** k-diffusion's names of the options, and ours. */
const OPTIONS: Readonly<Record<string, string>> = {
  s_churn: "churn",
  s_tmin: "churnMin",
  s_tmax: "churnMax",
  eta: "eta",
  order: "order",
  r: "r",
  solver_type: "solver",
  rtol: "rtol",
  atol: "atol",
  h_init: "firstStep",
};

const FILES = [
  ["euler", "sample_euler"],
  ["heun", "sample_heun"],
  ["dpm2", "sample_dpm_2"],
  ["lms", "sample_lms"],
  ["euler-ancestral", "sample_euler_ancestral"],
  ["dpm2-ancestral", "sample_dpm_2_ancestral"],
  ["dpmpp-2s-ancestral", "sample_dpmpp_2s_ancestral"],
  ["dpmpp-sde", "sample_dpmpp_sde"],
  ["dpmpp-2m", "sample_dpmpp_2m"],
  ["dpmpp-2m-sde", "sample_dpmpp_2m_sde"],
  ["dpmpp-3m-sde", "sample_dpmpp_3m_sde"],
] as const;

/** The options of a run by our names. */
function optionsOf(
  name: string,
  options: Readonly<Record<string, number | string>>,
): Record<string, number | string> {
  const ofNoise = "churn" in samplers[name as SamplerName].options ? "churnNoise" : "noiseScale";
  return Object.fromEntries(
    Object.entries(options)
      .filter(([key]) => key !== "return_info")
      .map(([key, value]) => [key === "s_noise" ? ofNoise : OPTIONS[key], value]),
  );
}

/** The allowed difference: 1e-9 of max(1, largest value). */
const tolerance = (want: readonly number[]) => ({ abs: 1e-9 * Math.max(1, ...want.map(Math.abs)) });

describe.each(FILES)("%s follows k-diffusion in float64 (%s.json)", (name, file) => {
  test.each(samplerFixture(file).map((run) => [run.id, run] as const))("%s", async (_id, run) => {
    const options = optionsOf(name, run.options);
    const { noises = 1 } = samplers[name];
    const modelSigmas: number[] = [];
    const denoise: Evaluate = (x, sigma) => (modelSigmas.push(sigma), mixture.denoise(x, sigma));
    const shape = [common.batch, common.dim];
    const steps = samplers[name].run(
      denoise,
      tensor(Float64Array.from(run.x_start), shape),
      common.sigmas[run.sigmas_id].values,
      {
        ...options,
        noise: (index, _shape, { part = 0 }) =>
          tensor(Float64Array.from(common.noise[noises * index + part]), shape),
      },
    );

    // A step's x is the state after the last one; where churn acts it is already noisier.
    const hasChurn = Number(run.options.s_churn ?? 0) > 0;
    let state = await steps.next();
    for (let i = 0; !state.done; i++, state = await steps.next()) {
      if (i > 0 && !hasChurn)
        expect(state.value.x).toBeAllClose(run.states[i - 1], tolerance(run.states[i - 1]));
    }
    const want = run.states[run.states.length - 1];
    expect(state.value).toBeAllClose(want, tolerance(want));
    expect(modelSigmas).toBeAllClose(run.model_sigmas, { rel: 1e-12 });
  });
});

test.each(samplerFixture("sample_dpm_fast").map((run) => [run.id, run] as const))(
  "dpm-fast follows k-diffusion in float64: %s",
  async (_id, run) => {
    const shape = [common.batch, common.dim];
    // Of a grid it takes the ends and the number of steps.
    const grid = Array.from(
      { length: run.n! + 1 },
      (_, i) => run.sigma_max! + (i / run.n!) * (run.sigma_min! - run.sigma_max!),
    );
    const steps = samplers["dpm-fast"].run(
      mixture.denoise,
      tensor(Float64Array.from(run.x_start), shape),
      grid,
      {
        ...optionsOf("dpm-fast", run.options),
        noise: (index) => tensor(Float64Array.from(common.noise[index]), shape),
      },
    );
    const want = run.states[run.states.length - 1];
    expect(await last(steps)).toBeAllClose(want, tolerance(want));
  },
);

test.each(samplerFixture("sample_dpm_adaptive").map((run) => [run.id, run] as const))(
  "dpm-adaptive follows k-diffusion in float64: %s",
  async (_id, run) => {
    const modelSigmas: number[] = [];
    const steps = samplers["dpm-adaptive"].run(
      (x, sigma) => (modelSigmas.push(sigma), mixture.denoise(x, sigma)),
      tensor(Float64Array.from(run.x_start), [common.batch, common.dim]),
      [run.sigma_max!, run.sigma_min!],
      optionsOf("dpm-adaptive", run.options),
    );
    const want = run.states[run.states.length - 1];
    expect(await last(steps)).toBeAllClose(want, tolerance(want));
    // k-diffusion evaluates the beginning of a step again after each step that it rejects.
    const { n_reject } = run.info!;
    expect(modelSigmas).toHaveLength(run.model_sigmas.length - n_reject);
    for (const sigma of modelSigmas)
      expect(Math.min(...run.model_sigmas.map((one) => Math.abs(one / sigma - 1)))).toBeLessThan(1e-9);
  },
);

test("the churned runs start from the tabulated states at every step", async () => {
  // States of a churned run are seen between the churn of two steps: run it step by step.
  for (const [name, file] of FILES.slice(0, 3)) {
    const run = samplerFixture(file).find(({ id }) => id.endsWith("churn-max"))!;
    const sigmas = common.sigmas[run.sigmas_id].values;
    const shape = [common.batch, common.dim];
    for (let i = 0; i + 1 < sigmas.length; i++) {
      const from = i === 0 ? run.x_start : run.states[i - 1];
      const steps = samplers[name].run(
        mixture.denoise,
        tensor(Float64Array.from(from), shape),
        sigmas.slice(i, i + 2),
        {
          churn: Number(run.options.s_churn) / (sigmas.length - 1), // the same amount on this one step
          noise: () => tensor(Float64Array.from(common.noise[i]), shape),
        },
      );
      expect(await last(steps)).toBeAllClose(run.states[i], tolerance(run.states[i]));
    }
  }
});

test("the ancestral split is k-diffusion's", () => {
  for (const { sigma_from, sigma_to, eta, sigma_down, sigma_up } of samplerFixture("ancestral_step")) {
    const { down, up } = ancestralSplit(sigma_from, sigma_to, eta);
    // down is the small difference of two squares: its error is that of sigma_to^2.
    expect(up).toBeAllClose(sigma_up, { rel: 1e-12 });
    expect(down ** 2).toBeAllClose(sigma_down ** 2, { abs: 1e-15 * sigma_to ** 2, rel: 1e-12 });
  }
});

describe("the standard deviation that N(0, 0.25) comes out with, 0.002 to 80, from 80 (exact: 0.49999023)", () => {
  const TABLE = [
    [8, 0.332789, 0.696994, 0.575295],
    [16, 0.413716, 0.536078, 0.540022],
    [32, 0.456192, 0.507838, 0.508491],
    [64, 0.477934, 0.501821, 0.501892],
    [128, 0.488923, 0.50043, 0.500438],
  ] as const;

  test.each(TABLE)("in %i steps: Euler %f, Heun %f, DPM++ 2M %f", async (steps, ...want) => {
    const data = gaussian({ mean: 0, std: 0.5 });
    for (const [i, name] of (["euler", "heun", "dpmpp-2m"] as const).entries()) {
      const x = tensor(Float64Array.of(80), [1, 1]);
      expect(await last(samplers[name].run(data.denoise, x, karras({ steps })))).toBeAllClose(want[i], {
        abs: 6e-7,
      });
    }
  });
});
