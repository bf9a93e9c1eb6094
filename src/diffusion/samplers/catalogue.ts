import { UsageError } from "../../base/errors.ts";
import type { Sample, SamplerOptions } from "./sampler.ts";

/**
 * An option of a sampler as people type it. Its default says its kind: a number (of `min` to `max`, whole where `whole`), one of
 * `choices`, a boolean, or a list of whole numbers from 0 on. On a command line a boolean is true or false and a list is 0,1,2.
 */
export interface SamplerOption {
  readonly default: number | string | boolean | readonly number[];
  readonly min?: number;
  readonly max?: number;
  readonly whole?: boolean;
  readonly choices?: readonly string[];
  readonly description: string;
}

/** A sampler as data: what a command line or a page needs to offer it. */
export interface Sampler {
  readonly name: string;
  readonly description: string;
  readonly source: string;
  /**
   * Order of convergence of the samples; where noise is added, of the mean and spread that a Gaussian comes out with. 0: made for networks
   * that predict the end of the path (consistency models); with a denoiser the samples keep a spread of their own however many the steps.
   */
  readonly order: number;
  /** Whether it draws noise with its default options. */
  readonly stochastic: boolean;
  /** Whether it can put back another prediction's noise, as CFG++ wants (`Prediction.renoise`). */
  readonly renoises: boolean;
  /** Whether it can move the mean of its steps, as classifier guidance's form=mean-shift wants (`Prediction.meanShift`). Default false. */
  readonly shiftsMean?: boolean;
  /** Evaluations of the denoiser (NFE) over a grid of `steps` steps that ends at 0; null: it decides by itself. */
  evaluations(steps: number): number | null;
  /** Noises that it draws in a step. Default 1 where it is stochastic. */
  readonly noises?: number;
  /** False: of the grid it takes the ends, and steps of its own between them. Default true. */
  readonly visitsGrid?: boolean;
  /** False: the step to 0 does not end at the last prediction. Default true. */
  readonly endsAtPrediction?: boolean;
  /** True: its steps depend on how many follow, so that the beginning of a run is not the run of a shorter grid. Default false. */
  readonly looksAhead?: boolean;
  readonly options: Readonly<Record<string, SamplerOption>>;
  /** Whether a program may give it `timesteps` to count in. Default false. */
  readonly countsTimesteps?: boolean;
  /** The sampler itself. Throws UsageError on an option that it does not have or a value that it cannot take. */
  readonly run: Sample<SamplerOptions & Readonly<Record<string, unknown>>>;
}

export const CHURN: Readonly<Record<string, SamplerOption>> = {
  churn: {
    default: 0,
    min: 0,
    description: "total noise added and removed again over the run (S_churn); 0 is off",
  },
  churnMin: { default: 0, min: 0, description: "smallest sigma where churn acts (S_tmin)" },
  churnMax: { default: Infinity, min: 0, description: "largest sigma where churn acts (S_tmax)" },
  churnNoise: { default: 1, min: 0, description: "standard deviation of the churned noise (S_noise)" },
};

export const ANCESTRAL = (eta: number): Readonly<Record<string, SamplerOption>> => ({
  eta: { default: eta, min: 0, description: "share of fresh noise: 0 none, 1 the posterior's" },
  noiseScale: { default: 1, min: 0, description: "standard deviation of the added noise" },
});

/** A sampler and what is known about it; its `run` checks the options first. */
export function entry<O extends SamplerOptions>(run: Sample<O>, about: Omit<Sampler, "run">): Sampler {
  return {
    ...about,
    run: (denoise, x, sigmas, options = {}) => run(denoise, x, sigmas, checkedOptions(about, options) as O),
  };
}

function checkedOptions(
  { name, options, countsTimesteps = false }: Omit<Sampler, "run">,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return readGiven(`sampler ${name}`, options, given, countsTimesteps ? ["noise", "timesteps"] : ["noise"]);
}

/**
 * The options that were given, read where they were typed: numbers, booleans and lists. Those of `inCode` only a program can give.
 * Throws UsageError, naming `what` they are options of.
 */
export function readGiven(
  what: string,
  options: Readonly<Record<string, SamplerOption>>,
  given: Readonly<Record<string, unknown>>,
  inCode: readonly string[] = [],
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (inCode.includes(key)) {
      out[key] = value;
      continue;
    }
    if (value === undefined) continue;
    if (!Object.hasOwn(options, key)) {
      throw new UsageError(
        `${what} has no option "${key}"; it has: ${[...inCode, ...Object.keys(options)].join(", ") || "none"}`,
      );
    }
    out[key] = read(options[key], value);
    if (out[key] === undefined) {
      throw new UsageError(`${key} of ${what} is ${wanted(options[key])}, got ${shown(value)}`);
    }
  }
  return out;
}

/** The value of an option, or undefined where it cannot take it. */
function read(option: SamplerOption, value: unknown): unknown {
  if (typeof option.default === "boolean") {
    return value === true || value === "true"
      ? true
      : value === false || value === "false"
        ? false
        : undefined;
  }
  if (Array.isArray(option.default)) {
    const list: unknown[] =
      typeof value === "string"
        ? value
            .split(",")
            .filter((item) => item.trim() !== "")
            .map(Number)
        : Array.isArray(value)
          ? value
          : [value];
    return list.every((item) => Number.isInteger(item) && Number(item) >= 0) ? list : undefined;
  }
  const { min = -Infinity, max = Infinity, whole = false, choices } = option;
  if (choices) return choices.includes(value as string) ? value : undefined;
  const holds = typeof value === "number" && value >= min && value <= max;
  return holds && (!whole || Number.isInteger(value)) ? value : undefined;
}

/** What an option takes, in words. */
export function wanted(option: SamplerOption): string {
  if (typeof option.default === "boolean") return "true or false";
  if (Array.isArray(option.default)) return "a list of whole numbers from 0 on, such as 0,1";
  const { min = -Infinity, max = Infinity, whole = false, choices } = option;
  if (choices) return `one of ${choices.join(", ")}`;
  const kind = whole ? "a whole number" : "a number";
  return max === Infinity ? `${kind} of at least ${min}` : `${kind} from ${min} to ${max}`;
}

function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}
