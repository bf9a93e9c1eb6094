import { UsageError } from "../../base/errors.ts";
import { streamOf } from "../draws.ts";
import type { Change } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { conditionMethod, intervalOption } from "../method.ts";
import type { GuidanceResources } from "../resources.ts";
import { timeOf } from "../schedules.ts";
import { finiteNumber, probability } from "../values.ts";

export interface CadsOptions<C> {
  /** s: the noise's standard deviation where nothing is left of the condition. */
  readonly noise: number;
  /** Up to this t the condition is as given. */
  readonly tau1: number;
  /** From this t on it is all noise. At least tau1. */
  readonly tau2: number;
  /** psi: how far mean and standard deviation are brought back to the condition's own, 0 to 1. */
  readonly mix: number;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** How noise is put on a condition. */
  readonly noisy: NonNullable<GuidanceResources<C>["noisyCondition"]>;
}

/** The noise level at which t is what it is: above the largest that a sampler has, for t = 1. */
const sigmaOf = (t: number): number => Math.tan((Math.PI / 2) * t);

/**
 * What is left of the condition at noise level sigma: 1 for t <= tau1, 0 for t >= tau2, linear in t between, with
 * t = (2/pi) atan(sigma): the time of the cosine schedule, 0 without noise and 1 in pure noise.
 */
export function annealing(sigma: number, { tau1, tau2 }: Pick<CadsOptions<never>, "tau1" | "tau2">): number {
  const t = timeOf(sigma);
  if (t <= tau1) return 1;
  return t >= tau2 ? 0 : (tau2 - t) / (tau2 - tau1);
}

/**
 * Condition-annealed sampling: the condition is noise at first and comes out of it as sampling goes on.
 *
 *   y' = sqrt(gamma)*y + s*sqrt(1 - gamma)*n          gamma = annealing(sigma), n normal
 *   y" = psi*(mean(y) + std(y)*(y' - mean(y'))/std(y')) + (1 - psi)*y'
 *
 * y is the embedding of the condition, n is drawn for each row and step from the row's seed. Where gamma = 1 nothing is changed.
 * Weak predictions see the change too, unless they drop the condition or take another. Cost: none.
 * Source: Sadat et al. 2023 (arXiv:2310.17347), section 4.
 */
export function cads<C>({ interval = everywhere, noisy, ...options }: CadsOptions<C>): Change<C> {
  const { noise, mix, tau1 } = options;
  return {
    method: "cads",
    interval: { ...interval, low: Math.max(interval.low, sigmaOf(tau1)) },
    change(branch, { sigma, seeds, step }) {
      if (branch.condition === null) return branch;
      const gamma = annealing(sigma, options);
      return noisy(branch, {
        keep: Math.sqrt(gamma),
        amount: noise * Math.sqrt(1 - gamma),
        rescale: mix,
        seeds,
        stream: streamOf("cads", step),
      });
    },
  };
}

const tauOption = (meaning: string, by: number) =>
  ({ meaning, unit: "t = (2/pi) atan(sigma), 0 to 1", default: by, values: probability }) as const;

export const cadsMethod = conditionMethod({
  name: "cads",
  role: "condition",
  summary: "Condition-annealed sampling begins with noise in the place of the condition.",
  formula:
    "y' = sqrt(gamma)*y + noise*sqrt(1 - gamma)*n, then mix*(y' at y's mean and spread) + (1 - mix)*y'; " +
    "gamma falls from 1 to 0 between t = tau1 and tau2, t = (2/pi) atan(sigma)",
  needs:
    "a label, and a network that makes an embedding of it (a class's row in a table), or a condition that is a tensor of numbers",
  cost: "none",
  adds: { networks: 0, gradients: 0 },
  when: "Samples of one condition look alike, as under a high weight of cfg: more of them differ.",
  published: "noise 0.25, tau1 0.6, tau2 0.9, mix 1 for Stable Diffusion",
  source: "Sadat et al. 2023, arXiv:2310.17347",
  space: "any",
  strength: "noise",
  off: null,
  options: {
    noise: {
      meaning: "the paper's s: how strong the noise is that takes the condition's place",
      unit: "numbers of the embedding",
      default: 0.25,
      values: finiteNumber,
    },
    tau1: tauOption("up to here the condition is as given; 1 changes nothing", 0.6),
    tau2: tauOption("from here on it is all noise", 0.9),
    mix: {
      meaning:
        "the paper's psi: how far mean and spread are brought back to the embedding's own; 0 not at all",
      unit: "share, 0 to 1",
      default: 1,
      values: probability,
    },
    interval: intervalOption,
  },
  conflict: ({ tau1, tau2 }) =>
    (tau1 as number) > (tau2 as number)
      ? `tau1 is at most tau2, got ${String(tau1)} and ${String(tau2)}`
      : undefined,
  make: (options, { conditional, noisyCondition }) => {
    if (!conditional || noisyCondition === undefined) {
      throw new UsageError(
        "cads needs the embedding of a condition to put noise on; this model's network makes none",
      );
    }
    return cads({ ...options, noisy: noisyCondition });
  },
});
