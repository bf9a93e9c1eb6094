import type { LayerSelection } from "../../graph/perturb.ts";
import type { Term } from "../guidance.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, scaleOption, weakMethod } from "../method.ts";
import { weightOf } from "../schedules.ts";
import { wholeNumber } from "../values.ts";
import { existingLayers, perturbed } from "./perturbedAttention.ts";
import { blocksOption } from "./skipLayers.ts";

export interface TpgOptions {
  /** s, where 0 is off: weight w = s + 1. */
  readonly scale: number;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** Which blocks get shuffled tokens, by the self-attention layers in them. */
  readonly layers: LayerSelection;
  /** Seed of the orders. Default: 0. */
  readonly seed?: number;
}

/**
 * Token perturbation guidance: the weak prediction is the same network's with the tokens that enter chosen blocks shuffled.
 *
 *   D = D(x) + s*(D(x) - D_shuffled(x))        s = scale; the same as weight w = s + 1
 *
 * A shuffle keeps every token and the norm of all, and breaks local structure. The order depends on (seed, sigma, layer), not on
 * the row or its batch.
 *
 * Cost: 1 more evaluation where it acts, less what comes before the first shuffled block.
 * Source: Rajabi et al. 2025 (arXiv:2506.10036).
 */
export function tpg<C>({ scale, interval, layers, seed = 0 }: TpgOptions): Term<C> {
  const perturbation = { kind: "shuffle-tokens", layers, seed } as const;
  return perturbed({ method: "tpg", weight: scale + 1, interval, perturbation });
}

export const tpgMethod = weakMethod({
  name: "tpg",
  role: "weak",
  summary: "Token perturbation guidance moves away from the same network with shuffled tokens.",
  formula: "D = D(x) + scale*(D(x) - D_shuffled(x)); the same as weight scale + 1",
  needs: "a network with self-attention, whose blocks add to what enters them; no label",
  cost: "1 evaluation, less what comes before the first shuffled block",
  adds: { networks: 1, gradients: 0 },
  when: "Without a label, where cfg cannot be used: it comes closest to what cfg does with one. Small networks take 0.3 to 1.",
  published: "scale 3, in the deeper half of the way down (SDXL), at every step",
  source: "Rajabi et al. 2025, arXiv:2506.10036",
  space: "any",
  strength: "scale",
  off: 0,
  options: {
    scale: scaleOption("how far it moves away: 0 is off, above 0 guides", 1),
    interval: intervalOption,
    layers: blocksOption,
    seed: {
      meaning: "which orders; drawn anew at each noise level, the same for every sample",
      unit: "whole number",
      default: 0,
      values: wholeNumber,
    },
  },
  make: ({ scale, interval, layers, seed }, { attention }) =>
    perturbed({
      method: "tpg",
      weight: weightOf(scale, 0),
      interval,
      perturbation: { kind: "shuffle-tokens", layers: existingLayers("tpg", layers, attention), seed },
    }),
});
