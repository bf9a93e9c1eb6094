import { describe, expect, test } from "vitest";
import { FileError } from "../../base/errors.ts";
import {
  schedulerClasses as recordedClasses,
  schedulerFile,
  schedulerText,
} from "../../testing/schedulerFixture.ts";
import { parseConfig, parseConfigText, schedulerClasses } from "./config.ts";

const of = (name: string, keys: object = {}) => parseConfig({ _class_name: name, ...keys });

test("the classes are those of the recorded runs", () => {
  expect([...schedulerClasses].sort()).toEqual([...recordedClasses].sort());
});

describe("defaults", () => {
  test("DDPM's are the paper's betas; LCM's are Stable Diffusion's", () => {
    expect(of("DDPMScheduler")).toMatchObject({
      num_train_timesteps: 1000,
      beta_start: 1e-4,
      beta_end: 0.02,
      beta_schedule: "linear",
      clip_sample: true,
      variance_type: "fixed_small",
      timestep_spacing: "leading",
    });
    expect(of("LCMScheduler")).toMatchObject({
      beta_start: 0.00085,
      beta_end: 0.012,
      beta_schedule: "scaled_linear",
    });
    expect(of("HeunDiscreteScheduler")).toMatchObject({ beta_start: 0.00085, beta_schedule: "linear" });
  });

  test("a config that lists only what is not the default is the whole config", () => {
    for (const name of recordedClasses) {
      for (const { config } of schedulerFile(name).cases) {
        const bare = of(name);
        const short = Object.fromEntries(
          Object.entries(config).filter(([key, value]) => bare[key as keyof typeof bare] !== value),
        );
        expect(of(name, short)).toEqual(parseConfig(config));
      }
    }
  });

  test("the recorded configs, written in full by the library, are taken as they are", () => {
    for (const name of recordedClasses) {
      for (const { config, id } of schedulerFile(name).cases) {
        const parsed: Record<string, unknown> = { ...parseConfig(config) };
        for (const [key, value] of Object.entries(config)) {
          if (key.startsWith("_") || value === null || value === "-Infinity") continue;
          expect(parsed[key], `${name} ${id} ${key}`).toEqual(value);
        }
      }
    }
  });

  test("null is the default of a flag", () => {
    expect(of("EulerDiscreteScheduler", { use_karras_sigmas: null })).toMatchObject({
      use_karras_sigmas: false,
    });
    expect(of("DDIMScheduler", { clip_sample: null })).toMatchObject({ clip_sample: true });
  });
});

describe("what saved files hold beside", () => {
  test("a config as the library writes it, with a bare -Infinity", () => {
    const text = schedulerText("raw_config_infinity.txt");
    expect(() => JSON.parse(text) as unknown).toThrow();
    expect(parseConfigText(text)).toMatchObject({
      _class_name: "DPMSolverMultistepScheduler",
      lambda_min_clipped: -Infinity,
      beta_schedule: "scaled_linear",
    });
  });

  test("-Infinity as a number and as a word", () => {
    for (const value of [-Infinity, "-Infinity"])
      expect(of("DPMSolverMultistepScheduler", { lambda_min_clipped: value })).toMatchObject({
        lambda_min_clipped: -Infinity,
      });
    expect(of("DPMSolverMultistepScheduler", { lambda_min_clipped: -5.1 })).toMatchObject({
      lambda_min_clipped: -5.1,
    });
  });

  test("keys of another class, as Stable Diffusion 1.5's own file has, are left out", () => {
    // runwayml's file: PNDM has no clip_sample.
    const config = of("PNDMScheduler", {
      skip_prk_steps: true,
      clip_sample: false,
      set_alpha_to_one: false,
      trained_betas: null,
    });
    expect(config).toMatchObject({ skip_prk_steps: true });
    expect(config).not.toHaveProperty("clip_sample");
  });

  test("names that begin with an underscore are the library's notes", () => {
    expect(of("DDIMScheduler", { _diffusers_version: "0.6.0", _use_default_values: ["x"] })).toEqual(
      of("DDIMScheduler"),
    );
  });

  test("solvers of other classes stand for UniPC's bh2 and DEIS's own", () => {
    expect(of("UniPCMultistepScheduler", { solver_type: "midpoint" })).toMatchObject({ solver_type: "bh2" });
    expect(
      of("DEISMultistepScheduler", { solver_type: "heun", algorithm_type: "dpmsolver++" }),
    ).toMatchObject({
      solver_type: "logrho",
      algorithm_type: "deis",
    });
  });
});

describe("what is refused, with one sentence that names the thing", () => {
  test("an unknown class, and which there are", () => {
    expect(() => of("KarrasVeScheduler")).toThrow(
      /no scheduler class is called "KarrasVeScheduler"; the classes are DDPMScheduler, .*EDMDPM/,
    );
    expect(() => parseConfig({})).toThrow(/names its class as _class_name; the classes are/);
    expect(() => of("toString")).toThrow("no scheduler class");
    expect(() => parseConfig({ _class_name: ["DDIMScheduler"] })).toThrow("no scheduler class");
  });

  test("a key that no class has, and which this one has", () => {
    expect(() => of("DDIMScheduler", { beta_sart: 0.1 })).toThrow(
      /no scheduler has a key "beta_sart"; DDIMScheduler has .*beta_start/,
    );
  });

  test("values that cannot be", () => {
    expect(() => of("DDIMScheduler", { num_train_timesteps: 1e9 })).toThrow(
      /num_train_timesteps of the DDIMScheduler/,
    );
    expect(() => of("DDIMScheduler", { beta_end: 1.5 })).toThrow(/beta_end of the DDIMScheduler/);
    expect(() => of("DDIMScheduler", { prediction_type: "noise" })).toThrow(/prediction_type .*"epsilon"/);
    expect(() => of("DDIMScheduler", { clip_sample: "no" })).toThrow(/clip_sample/);
    expect(() => of("EulerDiscreteScheduler", { sigma_max: NaN })).toThrow(/sigma_max/);
    expect(() => of("PNDMScheduler", { prediction_type: "sample" })).toThrow(/prediction_type/);
    expect(() => of("FlowMatchLCMScheduler", { scale_factors: [2, 4] })).toThrow(/scale_factors/);
  });

  test("keys that contradict each other", () => {
    expect(() => of("EulerDiscreteScheduler", { use_karras_sigmas: true, use_beta_sigmas: true })).toThrow(
      /use_karras_sigmas and use_beta_sigmas/,
    );
    expect(() =>
      of("DPMSolverMultistepScheduler", { use_flow_sigmas: true, use_karras_sigmas: true }),
    ).toThrow("no schedule of use_karras_sigmas");
    expect(() =>
      of("UniPCMultistepScheduler", { use_flow_sigmas: true, use_karras_sigmas: true }),
    ).not.toThrow();
    expect(() => of("DPMSolverMultistepScheduler", { prediction_type: "flow_prediction" })).toThrow(
      "use_flow_sigmas true",
    );
    expect(() => of("DDPMScheduler", { trained_betas: [0.1, 0.2] })).toThrow(
      "2 trained_betas and num_train_timesteps 1000",
    );
    expect(() => of("EDMEulerScheduler", { sigma_min: 90 })).toThrow("sigma_min below sigma_max");
    expect(() => of("LCMScheduler", { num_train_timesteps: 20 })).toThrow("original_inference_steps 50");
  });

  test("what is no config at all", () => {
    for (const value of [null, 3, [], "text", undefined, true])
      expect(() => parseConfig(value)).toThrow(FileError);
    expect(() => parseConfigText("{}")).toThrow(FileError);
    expect(() => parseConfigText("[]")).toThrow("an object of keys and values");
  });

  test("hostile names are cut, and prototypes are nobody's keys", () => {
    const error = (run: () => unknown): Error => {
      try {
        run();
      } catch (caught) {
        return caught as Error;
      }
      throw new Error("nothing was thrown");
    };
    expect(error(() => of("x".repeat(100_000))).message.length).toBeLessThan(1000);
    expect(() =>
      parseConfigText('{"_class_name": "DDIMScheduler", "__proto__": {"beta_start": 7}}'),
    ).not.toThrow();
    expect(() => parseConfigText('{"_class_name": "__proto__"}')).toThrow("no scheduler class");
    expect(() => parseConfigText('{"_class_name": "DDIMScheduler", "constructor": 1}')).toThrow(
      'no scheduler has a key "constructor"',
    );
  });

  test("every value of every key exchanged for a wrong one gives a FileError or a config", () => {
    const wrong: readonly unknown[] = [null, -1, 0, 1e308, NaN, "", "x", [], {}, true, [1, 2], "__proto__"];
    for (const name of schedulerClasses) {
      for (const key of Object.keys(of(name))) {
        for (const value of wrong) {
          try {
            of(name, { [key]: value });
          } catch (error) {
            expect(error, `${name} ${key} ${String(value)}`).toBeInstanceOf(FileError);
          }
        }
      }
    }
  });
});
