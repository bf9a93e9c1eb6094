import { UsageError } from "../../base/errors.ts";
import { ddim } from "./ddim.ts";
import { ddpm } from "./ddpm.ts";
import { dpmpp2m } from "./dpmpp2m.ts";
import { euler } from "./euler.ts";
import { eulerAncestral } from "./eulerAncestral.ts";
import { heun } from "./heun.ts";
import type { Sample, SamplerOptions } from "./sampler.ts";

/** An option of a sampler as people type it: a number of at least `min`, or one of `choices`. */
export interface SamplerOption {
  readonly default: number | string;
  readonly min?: number;
  readonly choices?: readonly string[];
  readonly description: string;
}

/** A sampler as data: what a command line or a page needs to offer it. */
export interface Sampler {
  readonly name: string;
  readonly description: string;
  /** Order of convergence of the samples (of their law, where noise is added). */
  readonly order: number;
  /** Whether it draws noise with its default options. */
  readonly stochastic: boolean;
  /** Whether it can put back another prediction's noise, as CFG++ wants (`Prediction.renoise`). */
  readonly renoises: boolean;
  /** Evaluations of the denoiser (NFE) over a grid of `steps` steps that ends at 0. */
  evaluations(steps: number): number;
  readonly options: Readonly<Record<string, SamplerOption>>;
  /** The sampler itself. Throws UsageError on an option that it does not have or a value that it cannot take. */
  readonly run: Sample<SamplerOptions & Readonly<Record<string, unknown>>>;
}

const CHURN: Readonly<Record<string, SamplerOption>> = {
  churn: {
    default: 0,
    min: 0,
    description: "total noise added and removed again over the run (S_churn); 0 is off",
  },
  churnMin: { default: 0, min: 0, description: "smallest sigma where churn acts (S_tmin)" },
  churnMax: { default: Infinity, min: 0, description: "largest sigma where churn acts (S_tmax)" },
  churnNoise: { default: 1, min: 0, description: "standard deviation of the churned noise (S_noise)" },
};

/** Every sampler, by name. */
export const samplers = {
  ddpm: entry(ddpm, {
    name: "ddpm",
    description: "DDPM's reverse process (Ho et al. 2020, Algorithm 2), on any grid of noise levels",
    order: 1,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => steps,
    options: {
      variance: {
        default: "small",
        choices: ["large", "small"],
        description: "noise of a step: beta_t (large) or the posterior's (small)",
      },
    },
  }),
  ddim: entry(ddim, {
    name: "ddim",
    description: "DDIM (Song et al. 2021); with eta 0 the same as euler",
    order: 1,
    stochastic: false,
    renoises: true,
    evaluations: (steps) => steps,
    options: {
      eta: {
        default: 0,
        min: 0,
        description: "share of fresh noise: 0 none, 1 as much as ddpm's small variance",
      },
    },
  }),
  euler: entry(euler, {
    name: "euler",
    description: "Euler's method on the probability-flow ODE (Karras et al. 2022), optional churn",
    order: 1,
    stochastic: false,
    renoises: true,
    evaluations: (steps) => steps,
    options: CHURN,
  }),
  heun: entry(heun, {
    name: "heun",
    description:
      "Heun's method on the probability-flow ODE (Karras et al. 2022), optional churn; 2 evaluations a step",
    order: 2,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => 2 * steps - 1,
    options: CHURN,
  }),
  "euler-ancestral": entry(eulerAncestral, {
    name: "euler-ancestral",
    description: 'Euler below the next noise level, then fresh noise up to it ("Euler a")',
    order: 1,
    stochastic: true,
    renoises: true,
    evaluations: (steps) => steps,
    options: {
      eta: { default: 1, min: 0, description: "share of fresh noise: 0 is euler, 1 the posterior's" },
      noiseScale: { default: 1, min: 0, description: "standard deviation of the added noise" },
    },
  }),
  "dpmpp-2m": entry(dpmpp2m, {
    name: "dpmpp-2m",
    description: "DPM-Solver++(2M) (Lu et al. 2022): order 2 at 1 evaluation a step",
    order: 2,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => steps,
    options: {},
  }),
} as const satisfies Record<string, Sampler>;

export type SamplerName = keyof typeof samplers;

/** The sampler of that name. Throws UsageError that lists the names. */
export function samplerByName(name: string): Sampler {
  if (Object.hasOwn(samplers, name)) return samplers[name as SamplerName];
  throw new UsageError(`no sampler is called "${name}"; there are: ${Object.keys(samplers).join(", ")}`);
}

function entry<O extends SamplerOptions>(run: Sample<O>, about: Omit<Sampler, "run">): Sampler {
  return {
    ...about,
    run: (denoise, x, sigmas, options = {}) => {
      checkOptions(about, options);
      return run(denoise, x, sigmas, options as O);
    },
  };
}

function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

function checkOptions(
  { name, options }: Omit<Sampler, "run">,
  given: Readonly<Record<string, unknown>>,
): void {
  for (const [key, value] of Object.entries(given)) {
    if (key === "noise" || value === undefined) continue;
    if (!Object.hasOwn(options, key)) {
      throw new UsageError(
        `sampler ${name} has no option "${key}"; it has: ${["noise", ...Object.keys(options)].join(", ")}`,
      );
    }
    const { min = -Infinity, choices } = options[key];
    if (choices && !choices.includes(value as string)) {
      throw new UsageError(`${key} of sampler ${name} is one of ${choices.join(", ")}, got ${shown(value)}`);
    }
    if (!choices && !(typeof value === "number" && value >= min)) {
      throw new UsageError(`${key} of sampler ${name} is a number of at least ${min}, got ${shown(value)}`);
    }
  }
}
