import { UsageError } from "../../base/errors.ts";
import type { LayerSelection, Perturbation } from "../../graph/perturb.ts";
import type { Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, weakMethod, weightOption } from "../method.ts";
import { weightOf } from "../schedules.ts";
import { choice, nonNegative, probability, wholeNumber } from "../values.ts";
import type { Weight } from "../weight.ts";
import { existingLayers, layersOption } from "./perturbedAttention.ts";

/** How the network is made worse than itself. */
export type Damage =
  | { readonly kind: "weight-noise"; readonly std: number; readonly seed?: number }
  | {
      readonly kind: "attention-dropout";
      readonly layers: LayerSelection;
      readonly p: number;
      readonly seed?: number;
    };

export interface SelfAutoguidanceOptions {
  /** w in weak + w*(strong - weak): 1 is off, 0 the damaged network's own prediction. */
  readonly weight: Weight;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  readonly damage: Damage;
  /** Whether the damaged network is asked without the condition, as in diffusers. Default: false. */
  readonly dropCondition?: boolean;
}

/**
 * Autoguidance by the network itself, damaged: no second network is needed.
 *
 *   D = D_damaged(x; condition) + w*(D(x; condition) - D_damaged(x; condition))
 *
 * weight-noise: every matrix and kernel plus normal noise of std times its own standard deviation, the same at all noise levels.
 * attention-dropout: entries of chosen attention maps to zero with probability p, others times 1/(1 - p), drawn at each noise
 * level. Both depend on the seed, not on the row or its batch.
 *
 * The paper finds (section 5.1) that such damage helps where the network has the same kind of error itself, and not otherwise: a
 * network trained for less time is the better guide.
 *
 * Cost: 1 more evaluation where it acts.
 * Source: Karras et al. 2024 (arXiv:2406.02507), section 5.1; `dropCondition`: AutoGuidance of diffusers.
 */
export function selfAutoguidance<C>({
  weight,
  interval = everywhere,
  damage,
  dropCondition = false,
}: SelfAutoguidanceOptions): Term<C> {
  const perturbation: Perturbation = damage;
  return {
    method: "self-autoguidance",
    weight,
    interval,
    weak: (strong) => ({ ...strong, ...(dropCondition && { condition: null }), perturbation }),
  };
}

export const selfAutoguidanceMethod = weakMethod({
  name: "self-autoguidance",
  role: "weak",
  summary: "Autoguidance by the network itself with noise on its weights or dropout in its attention.",
  formula: "D = D_damaged(x; condition) + weight*(D(x; condition) - D_damaged(x; condition))",
  formulaWith: ({ form }) =>
    form === "diffusers"
      ? "D = D_damaged(x; null) + weight*(D(x; condition) - D_damaged(x; null))"
      : undefined,
  needs: "nothing but the network; self-attention for damage=attention-dropout",
  cost: "1 evaluation",
  adds: { networks: 1, gradients: 0 },
  when: "Where autoguidance has no guide: a weaker effect, for it only undoes errors of the damage's kind.",
  published: "2.25 with dropout of 10 % for a network that has 5 % itself; no gain for a well trained one",
  source:
    "Karras et al. 2024, arXiv:2406.02507, section 5.1; form=diffusers: its AutoGuidance, with attention-dropout of 10 %",
  space: "any",
  strength: "weight",
  off: 1,
  options: {
    weight: weightOption("0 is the damaged network, above 1 guides"),
    interval: intervalOption,
    damage: {
      meaning: "what is damaged: the weights, by normal noise, or the attention maps, by dropout",
      unit: "one of weight-noise, attention-dropout",
      default: "weight-noise" as const,
      values: choice("weight-noise", "attention-dropout"),
    },
    std: {
      meaning: "noise on each weight, relative to the spread of its tensor; only for weight-noise: 0 is off",
      unit: "standard deviations of the tensor",
      default: 0.02,
      only: ["damage", ["weight-noise"]],
      values: nonNegative,
    },
    p: {
      meaning:
        "how likely each entry of an attention map is dropped; only for attention-dropout: 0 drops none",
      unit: "probability, 0 to 1, not 1",
      default: 0.1,
      only: ["damage", ["attention-dropout"]],
      values: probability,
    },
    layers: {
      ...layersOption,
      meaning: `${layersOption.meaning}; only for attention-dropout`,
      default: "all",
      only: ["damage", ["attention-dropout"]],
    },
    seed: {
      meaning: "which noise, or which entries",
      unit: "whole number",
      default: 0,
      values: wholeNumber,
    },
    form: {
      meaning: "paper asks the damaged network with the same condition, diffusers without any",
      unit: "one of paper, diffusers",
      default: "paper" as const,
      values: choice("paper", "diffusers"),
    },
  },
  conflict: ({ std, p }) => {
    if (p === 1) return "p=1 leaves nothing of the attention: give a p below 1";
    return std === 0 || p === 0
      ? "no damage is left: give std or p above 0, or weight 1 to be off"
      : undefined;
  },
  make: ({ weight, interval, damage, std, p, layers, seed, form }, resources) => {
    const { attention, conditional, nullCondition } = resources;
    if (form === "diffusers" && conditional && nullCondition === false) {
      throw new UsageError(
        "self-autoguidance: form=diffusers asks without a condition, and this network was trained without condition " +
          "dropout: write form=paper",
      );
    }
    return selfAutoguidance({
      weight: weightOf(weight),
      interval,
      damage:
        damage === "weight-noise"
          ? { kind: damage, std, seed }
          : { kind: damage, layers: existingLayers("self-autoguidance", layers, attention), p, seed },
      dropCondition: form === "diffusers",
    });
  },
});
