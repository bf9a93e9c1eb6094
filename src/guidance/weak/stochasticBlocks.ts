import type { LayerSelection } from "../../graph/perturb.ts";
import type { Term } from "../guidance.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, scaleOption, weakMethod } from "../method.ts";
import { weightOf } from "../schedules.ts";
import { probability, wholeNumber } from "../values.ts";
import { existingLayers, perturbed } from "./perturbedAttention.ts";
import { blocksOption } from "./skipLayers.ts";

export interface S2Options {
  /** The paper's omega, where 0 is off: weight w = s + 1. */
  readonly scale: number;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** Of which blocks some are dropped, by the self-attention layers in them. */
  readonly layers: LayerSelection;
  /** Share of these that is dropped, at least one; in [0, 1]. Default: 0.1. */
  readonly p?: number;
  /** Seed of the choices. Default: 0. */
  readonly seed?: number;
}

/**
 * Stochastic self-guidance (S^2): the weak prediction is the same network's without some of its blocks, others at each step.
 *
 *   D = D(x) + s*(D(x) - D_dropped(x))        s = scale; the same as weight w = s + 1
 *
 * Which blocks depends on (seed, sigma), not on the row or its batch; the choice is an input of one graph, so that nothing is
 * compiled anew.
 *
 * Cost: 1 more evaluation where it acts, less what comes before the first block that may be dropped.
 * Source: Chen et al. 2025 (arXiv:2508.12880).
 */
export function s2<C>({ scale, interval, layers, p = 0.1, seed = 0 }: S2Options): Term<C> {
  const perturbation = { kind: "drop-blocks", layers, p, seed } as const;
  return perturbed({ method: "s2", weight: scale + 1, interval, perturbation });
}

export const s2Method = weakMethod({
  name: "s2",
  role: "weak",
  summary: "Stochastic self-guidance moves away from the same network without blocks drawn at each step.",
  formula: "D = D(x) + scale*(D(x) - D_dropped(x)); the same as weight scale + 1",
  needs: "a network with self-attention, whose blocks add to what enters them; no label",
  cost: "1 evaluation, less what comes before the first block that may be dropped",
  adds: { networks: 1, gradients: 0 },
  when: "As slg where it is not known which blocks to skip: other ones at each step, so that none counts too much.",
  published: "scale 0.25 and a tenth of the blocks, beside cfg (as programs give the paper's values)",
  source: "Chen et al. 2025, arXiv:2508.12880",
  space: "any",
  strength: "scale",
  off: 0,
  options: {
    scale: scaleOption("the paper's omega: 0 is off, above 0 guides", 0.25),
    interval: intervalOption,
    layers: { ...blocksOption, default: "all" },
    p: {
      meaning: "share of these blocks that is dropped, rounded, but at least one",
      unit: "share, 0 to 1",
      default: 0.1,
      values: probability,
    },
    seed: {
      meaning: "which choices; drawn anew at each noise level, the same for every sample",
      unit: "whole number",
      default: 0,
      values: wholeNumber,
    },
  },
  conflict: ({ p }) =>
    p === 0 ? "p=0 drops nothing: give a share above 0, or scale 0 to be off" : undefined,
  make: ({ scale, interval, layers, p, seed }, { attention }) =>
    perturbed({
      method: "s2",
      weight: weightOf(scale, 0),
      interval,
      perturbation: { kind: "drop-blocks", layers: existingLayers("s2", layers, attention), p, seed },
    }),
});
