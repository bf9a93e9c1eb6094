import { UsageError } from "../../base/errors.ts";
import type { Branch } from "../../diffusion/denoiser.ts";
import type { Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, weakMethod, weightOption } from "../method.ts";
import type { GuidanceResources } from "../resources.ts";
import { weightOf } from "../schedules.ts";
import { name } from "../values.ts";
import type { Weight } from "../weight.ts";

/** A branch like another, under another condition; noise on the condition is not carried over. */
export function underCondition<C>(branch: Branch<C>, condition: C | null): Branch<C> {
  return { ...branch, condition, conditionNoise: undefined };
}

export interface NegativeOptions<C> {
  /** w in weak + w*(strong - weak): 1 is off, 0 the negative condition's own prediction. */
  readonly weight: Weight;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** What is moved away from, for so many rows; null: the network's null condition. */
  readonly condition: (rows: number) => C | null;
}

/**
 * A negative condition: the weak prediction is that of a condition which the sample is to have nothing of.
 *
 *   D = D(x; negative) + w*(D(x; condition) - D(x; negative))
 *
 * Cost: 1 more evaluation where it acts. The usual "negative prompt" of programs for Stable Diffusion; without a negative condition
 * it is classifier-free guidance.
 */
export function negative<C>({ weight, interval = everywhere, condition }: NegativeOptions<C>): Term<C> {
  return {
    method: "negative",
    weight,
    interval,
    weak: (strong, { x }) => underCondition(strong, condition(x.shape[0])),
  };
}

export const negativeMethod = weakMethod({
  name: "negative",
  role: "weak",
  summary: "A negative condition: move away from the prediction for what is not wanted.",
  formula: "D = D(x; negative) + weight*(D(x; condition) - D(x; negative))",
  needs: "a network that takes conditions, and one of them by name",
  cost: "1 evaluation",
  adds: { networks: 1, gradients: 0 },
  when:
    "Samples slip into a condition that can be named. Beside cfg, which moves to the wanted condition, it moves away from the " +
    "unwanted one: cfg:3+negative:1.5,condition=NAME.",
  published:
    "the guidance weight of the program, 7.5 for Stable Diffusion, in the place of the null condition",
  source:
    "practice, as negative_prompt of diffusers; the formula is that of Ho & Salimans 2022, arXiv:2207.12598",
  space: "any",
  strength: "weight",
  off: 1,
  example: { spec: "negative:2,condition=shirt" },
  options: {
    weight: weightOption("0 is the negative condition, above 1 guides away from it"),
    interval: intervalOption,
    condition: {
      meaning:
        "the condition to move away from: a class's name (- for spaces) or number; absent: the null condition",
      unit: "name",
      values: name,
    },
  },
  make: (options, resources) =>
    negative({
      ...options,
      weight: weightOf(options.weight),
      condition: negativeOf(options.condition, resources),
    }),
});

function negativeOf<C>(
  wanted: string | undefined,
  { conditional, nullCondition, conditionNamed }: GuidanceResources<C>,
): (rows: number) => C | null {
  if (!conditional || (wanted !== undefined && conditionNamed === undefined)) {
    throw new UsageError(
      "negative needs a network that takes conditions by name; this model's takes none. Use pag or autoguidance",
    );
  }
  if (wanted === undefined) {
    if (nullCondition !== false) return () => null;
    throw new UsageError(
      "negative without a condition moves away from the null condition, which this network was not trained with. Write " +
        "negative:2,condition=NAME",
    );
  }
  conditionNamed!(wanted, 0);
  return (rows) => conditionNamed!(wanted, rows);
}
