import { UsageError } from "../../base/errors.ts";
import { ddim } from "./ddim.ts";
import { ddpm } from "./ddpm.ts";
import { dpm2 } from "./dpm2.ts";
import { dpm2Ancestral } from "./dpm2Ancestral.ts";
import { dpmAdaptive } from "./dpmAdaptive.ts";
import { dpmFast } from "./dpmFast.ts";
import { dpmpp2m } from "./dpmpp2m.ts";
import { dpmpp2mSde } from "./dpmpp2mSde.ts";
import { dpmpp2sAncestral } from "./dpmpp2sAncestral.ts";
import { dpmpp3mSde } from "./dpmpp3mSde.ts";
import { dpmppSde } from "./dpmppSde.ts";
import { euler } from "./euler.ts";
import { eulerAncestral } from "./eulerAncestral.ts";
import { heun } from "./heun.ts";
import { lms } from "./lms.ts";
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
  /** Order of convergence of the samples; where noise is added, of the mean and spread that a Gaussian comes out with. */
  readonly order: number;
  /** Whether it draws noise with its default options. */
  readonly stochastic: boolean;
  /** Whether it can put back another prediction's noise, as CFG++ wants (`Prediction.renoise`). */
  readonly renoises: boolean;
  /** Evaluations of the denoiser (NFE) over a grid of `steps` steps that ends at 0; null: it decides by itself. */
  evaluations(steps: number): number | null;
  /** Noises that it draws in a step. Default 1 where it is stochastic. */
  readonly noises?: number;
  /** False: of the grid it takes the ends, and steps of its own between them. Default true. */
  readonly visitsGrid?: boolean;
  /** False: the step to 0 does not end at the last prediction. Default true. */
  readonly endsAtPrediction?: boolean;
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

const ANCESTRAL = (eta: number): Readonly<Record<string, SamplerOption>> => ({
  eta: { default: eta, min: 0, description: "share of fresh noise: 0 none, 1 the posterior's" },
  noiseScale: { default: 1, min: 0, description: "standard deviation of the added noise" },
});

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
    options: ANCESTRAL(1),
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
  dpm2: entry(dpm2, {
    name: "dpm2",
    description:
      "DPM-Solver-2, the midpoint in ln sigma (Lu et al. 2022), optional churn; 2 evaluations a step",
    order: 2,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => 2 * steps - 1,
    options: CHURN,
  }),
  "dpm2-ancestral": entry(dpm2Ancestral, {
    name: "dpm2-ancestral",
    description:
      'DPM-Solver-2 below the next noise level, then fresh noise up to it ("DPM2 a"); 2 evaluations a step',
    order: 2,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => 2 * steps - 1,
    options: ANCESTRAL(1),
  }),
  lms: entry(lms, {
    name: "lms",
    description: "linear multistep of up to four slopes, integrated exactly over each step",
    order: 4,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => steps,
    endsAtPrediction: false,
    options: { order: { default: 4, min: 1, description: "slopes that a step uses, 1 to 4: 1 is euler" } },
  }),
  "dpmpp-2s-ancestral": entry(dpmpp2sAncestral, {
    name: "dpmpp-2s-ancestral",
    description: "DPM-Solver++(2S) with fresh noise (Lu et al. 2022); 2 evaluations a step",
    order: 2,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => 2 * steps - 1,
    options: ANCESTRAL(1),
  }),
  "dpmpp-sde": entry(dpmppSde, {
    name: "dpmpp-sde",
    description: "DPM-Solver++ on the reverse SDE in two stages; 2 evaluations and 2 noises a step",
    order: 1,
    stochastic: true,
    renoises: false,
    noises: 2,
    evaluations: (steps) => 2 * steps - 1,
    options: {
      ...ANCESTRAL(1),
      r: { default: 0.5, min: 0.01, description: "where in a step, in ln sigma, the second evaluation lies" },
    },
  }),
  "dpmpp-2m-sde": entry(dpmpp2mSde, {
    name: "dpmpp-2m-sde",
    description: "SDE-DPM-Solver++(2M) (Lu et al. 2022): two-step method on the reverse SDE",
    order: 2,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => steps,
    options: {
      ...ANCESTRAL(1),
      solver: {
        default: "midpoint",
        choices: ["midpoint", "heun"],
        description: "how the prediction is extrapolated over a step",
      },
    },
  }),
  "dpmpp-3m-sde": entry(dpmpp3mSde, {
    name: "dpmpp-3m-sde",
    description: "SDE-DPM-Solver++(3M): three-step method on the reverse SDE",
    order: 2,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => steps,
    options: ANCESTRAL(1),
  }),
  "dpm-fast": entry(dpmFast, {
    name: "dpm-fast",
    description: "DPM-Solver-fast: third order in few evaluations, on steps of its own",
    order: 3,
    stochastic: false,
    renoises: false,
    visitsGrid: false,
    endsAtPrediction: false,
    evaluations: (steps) => steps,
    options: ANCESTRAL(0),
  }),
  "dpm-adaptive": entry(dpmAdaptive, {
    name: "dpm-adaptive",
    description: "DPM-Solver-23 with steps as long as two orders agree; a sample depends on its batch",
    order: 3,
    stochastic: false,
    renoises: false,
    visitsGrid: false,
    endsAtPrediction: false,
    evaluations: () => null,
    options: {
      order: { default: 3, min: 2, description: "order of the step that is taken, 2 or 3" },
      rtol: { default: 0.05, min: 0, description: "relative tolerance" },
      atol: { default: 0.0078, min: 0, description: "absolute tolerance" },
      firstStep: { default: 0.05, min: 1e-6, description: "length of the first step in ln sigma" },
    },
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
