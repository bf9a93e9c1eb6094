import { UsageError } from "../base/errors.ts";
import { betas } from "./betas.ts";
import { flow } from "./flowSigmas.ts";
import { type SamplerOption, readGiven } from "./samplers/catalogue.ts";
import {
  type Sigmas,
  type Spacing,
  betaSpaced,
  exponential,
  fromBetas,
  karras,
  polyexponential,
  vp,
} from "./sigmas.ts";

/** What a schedule makes noise levels of. */
export interface ScheduleRange {
  /** Number of sampling steps. */
  readonly steps: number;
  /** Smallest noise level before 0; for schedules over a range. */
  readonly sigmaMin: number;
  /** The noise level at the start; schedules with levels of their own begin here where theirs is higher. */
  readonly sigmaMax: number;
  /** karras: equal steps in sigma^(1/rho). */
  readonly rho: number;
}

/** A schedule as data: what a command line or a page needs to offer it. */
export interface Schedule {
  readonly name: string;
  readonly description: string;
  readonly source: string;
  /** Whether it goes from sigmaMax to sigmaMin; otherwise its levels are those of a process, cut at sigmaMax. */
  readonly hasRange: boolean;
  readonly options: Readonly<Record<string, SamplerOption>>;
  /** Its noise levels, from options that were checked. */
  sigmas(range: ScheduleRange, options: Readonly<Record<string, unknown>>): Sigmas;
}

const SPACING: Readonly<Record<string, SamplerOption>> = {
  spacing: {
    default: "trailing",
    choices: ["trailing", "leading", "linspace"],
    description: "which timesteps are kept: trailing keeps the last, leading timestep 0, linspace both",
  },
  count: { default: 1000, min: 1, max: 100_000, whole: true, description: "number of timesteps in training" },
  zeroSnr: { default: false, description: "whether nothing of x0 is left at the last timestep" },
};

const END = (start: number, end: number): Readonly<Record<string, SamplerOption>> => ({
  start: { default: start, min: 1e-9, max: 0.999, description: "first beta" },
  end: { default: end, min: 1e-9, max: 0.999, description: "last beta" },
});

/** Every schedule, by name. */
export const schedules: Readonly<Record<string, Schedule>> = {
  karras: {
    name: "karras",
    description: "equal steps in sigma^(1/rho), with --rho",
    source: "Karras et al. 2022 (arXiv:2206.00364), Eq. 5",
    hasRange: true,
    options: {},
    sigmas: ({ steps, sigmaMin: min, sigmaMax: max, rho }) => karras({ steps, min, max, rho }),
  },
  exponential: {
    name: "exponential",
    description: "equal steps in ln sigma",
    source: "k-diffusion (get_sigmas_exponential)",
    hasRange: true,
    options: {},
    sigmas: ({ steps, sigmaMin: min, sigmaMax: max }) => exponential({ steps, min, max }),
  },
  polyexponential: {
    name: "polyexponential",
    description: "steps in ln sigma that follow a power",
    source: "k-diffusion (get_sigmas_polyexponential)",
    hasRange: true,
    options: {
      rho: {
        default: 1,
        min: 0.01,
        max: 100,
        description: "the power: 1 is exponential, more puts steps at low noise",
      },
    },
    sigmas: ({ steps, sigmaMin: min, sigmaMax: max }, options) =>
      polyexponential({ ...options, steps, min, max }),
  },
  beta: {
    name: "beta",
    description: "the quantiles of a Beta distribution, which crowd at both ends",
    source: "Lee et al. 2024 (arXiv:2407.12173)",
    hasRange: true,
    options: {
      a: { default: 0.6, min: 0.02, max: 99, description: "first shape of the distribution" },
      b: { default: 0.6, min: 0.02, max: 99, description: "second shape of the distribution" },
    },
    sigmas: ({ steps, sigmaMin: min, sigmaMax: max }, options) => betaSpaced({ ...options, steps, min, max }),
  },
  vp: {
    name: "vp",
    description: "equal times of the continuous variance-preserving process",
    source: "Song et al. 2021 (arXiv:2011.13456), Eq. 32",
    hasRange: false,
    options: {
      betaD: { default: 19.9, min: 0.01, max: 1000, description: "by how much beta grows from t = 0 to 1" },
      betaMin: { default: 0.1, min: 1e-6, max: 1000, description: "beta at t = 0" },
      end: { default: 0.001, min: 1e-6, max: 0.999, description: "the last time before 0" },
    },
    sigmas: ({ steps }, options) => vp({ ...options, steps }),
  },
  flow: {
    name: "flow",
    description: "equal times of the straight path from noise to data, shifted towards noise",
    source: "Esser et al. 2024 (arXiv:2403.03206), Eq. 23",
    hasRange: false,
    options: {
      shift: { default: 1, min: 0.01, max: 100, description: "1 moves nothing, 3 as Stable Diffusion 3" },
    },
    sigmas: ({ steps }, options) => flow({ ...options, steps }),
  },
  linear: discrete(
    "linear",
    "timesteps of DDPM, betas equally spaced",
    "Ho et al. 2020 (arXiv:2006.11239)",
    END(1e-4, 0.02),
  ),
  "scaled-linear": discrete(
    "scaled-linear",
    "timesteps of Stable Diffusion, square roots of betas equally spaced",
    "Rombach et al. 2022 (arXiv:2112.10752)",
    END(0.00085, 0.012),
  ),
  cosine: discrete(
    "cosine",
    "timesteps of improved DDPM",
    "Nichol & Dhariwal 2021 (arXiv:2102.09672), Eq. 17",
    {},
  ),
};

/** Timesteps of a process that was discrete in training. */
function discrete(
  kind: "linear" | "scaled-linear" | "cosine",
  description: string,
  source: string,
  options: Readonly<Record<string, SamplerOption>>,
): Schedule {
  return {
    name: kind,
    description,
    source,
    hasRange: false,
    options: { ...SPACING, ...options },
    sigmas: ({ steps }, { spacing, ...spec }) =>
      fromBetas(betas({ kind, ...spec }), { steps, spacing: spacing as Spacing | undefined }),
  };
}

/** A schedule that was asked for: NAME or NAME:KEY=VALUE,KEY=VALUE, checked. Throws UsageError. */
export function parseSchedule(text: string): {
  readonly schedule: Schedule;
  readonly options: Record<string, unknown>;
} {
  const [, name, rest] = /^([^:]*)(?::(.*))?$/s.exec(text)!;
  if (!Object.hasOwn(schedules, name)) {
    throw new UsageError(`no schedule is called "${name}"; there are: ${Object.keys(schedules).join(", ")}`);
  }
  const schedule = schedules[name];
  const given = (rest ?? "").split(",").filter((pair) => pair.trim() !== "");
  const entries = given.map((pair): [string, unknown] => {
    const [key, value, more] = pair.split("=").map((part) => part.trim());
    if (!key || !value || more !== undefined) {
      throw new UsageError(`a schedule is written NAME:KEY=VALUE, as in flow:shift=3; got "${text}"`);
    }
    return [key, Number.isNaN(Number(value)) ? value : Number(value)];
  });
  const twice = entries.find(([key], i) => entries.findIndex(([other]) => other === key) < i);
  if (twice) throw new UsageError(`schedule ${text} gives ${twice[0]} twice: give it once`);
  return { schedule, options: readGiven(`schedule ${name}`, schedule.options, Object.fromEntries(entries)) };
}

/**
 * The noise levels of a schedule that is written NAME or NAME:KEY=VALUE,... (absent: karras), the last 0. Levels of a process
 * that begins above sigmaMax begin at sigmaMax.
 * Throws UsageError on an unknown schedule, option or value, and where more than the first level is above sigmaMax.
 */
export function scheduledSigmas({
  schedule: text = "karras",
  ...range
}: ScheduleRange & { readonly schedule?: string }): Sigmas {
  const { schedule, options } = parseSchedule(text);
  const sigmas = schedule.sigmas(range, options);
  if (schedule.hasRange || sigmas[0] <= range.sigmaMax) return sigmas;
  const above = sigmas.filter((sigma) => sigma >= range.sigmaMax).length;
  if (above > 1) {
    throw new UsageError(
      `schedule ${text} has ${above} of its ${range.steps} levels at or above sigma-max ${range.sigmaMax}, where sampling starts: ` +
        "take fewer steps, a larger sigma-max or another schedule",
    );
  }
  return [range.sigmaMax, ...sigmas.slice(1)];
}
