import type { LayerSelection, Perturbation } from "../../graph/perturb.ts";
import type { Term } from "../guidance.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, scaleOption, weakMethod } from "../method.ts";
import { weightOf } from "../schedules.ts";
import { choice } from "../values.ts";
import { existingLayers, perturbed } from "./perturbedAttention.ts";
import { blocksOption } from "./skipLayers.ts";

/** What is skipped: the residual part of the block, or the mixing of its attention. */
export type StgMode = "residual" | "attention";

export interface StgOptions {
  /** s, where 0 is off: weight w = s + 1. */
  readonly scale: number;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** Which blocks, by the self-attention layers in them. */
  readonly layers: LayerSelection;
  /** Default: "residual". */
  readonly mode?: StgMode;
}

/**
 * Spatiotemporal skip guidance: the weak prediction is the same network's with chosen spatiotemporal layers skipped.
 *
 *   D = D(x) + s*(D(x) - D_skipped(x))        s = scale; the same as weight w = s + 1
 *
 * STG-R ("residual") skips what a block adds, so that the block gives its input; STG-A ("attention") replaces its attention map by
 * the identity, as PAG does. Made for video, where self-attention runs over space and time.
 *
 * Cost: 1 more evaluation where it acts, less what comes before the first changed layer.
 * Source: Hyung et al. 2024 (arXiv:2411.18664), section 4.
 */
export function stg<C>({ scale, interval, layers, mode = "residual" }: StgOptions): Term<C> {
  return perturbed({
    method: "stg",
    weight: scale + 1,
    interval,
    perturbation: perturbationOf(mode, layers),
  });
}

function perturbationOf(mode: StgMode, layers: LayerSelection): Perturbation {
  return { kind: mode === "residual" ? "skip-block" : "identity", layers };
}

export const stgMethod = weakMethod({
  name: "stg",
  role: "weak",
  summary:
    "Spatiotemporal skip guidance moves away from the same network with skipped layers over space and time.",
  formula: "D = D(x) + scale*(D(x) - D_skipped(x)); the same as weight scale + 1",
  needs: "a network with self-attention (for mode=residual, whose blocks add to what enters them); no label",
  cost: "1 evaluation, less what comes before the first skipped layer",
  adds: { networks: 1, gradients: 0 },
  when: "Video networks, beside a small weight of cfg; add rescale:0.7 where colours saturate, as the paper does.",
  published:
    "scale 1 with mode=residual, 2 with mode=attention, at every step, in one layer chosen for each network",
  source: "Hyung et al. 2024, arXiv:2411.18664",
  space: "any",
  strength: "scale",
  off: 0,
  options: {
    scale: scaleOption("how far it moves away: 0 is off, above 0 guides", 1),
    interval: intervalOption,
    layers: blocksOption,
    mode: {
      meaning:
        "residual (STG-R): the block gives its input; attention (STG-A): its attention map is the identity",
      unit: "one of residual, attention",
      default: "residual" as const,
      values: choice("residual", "attention"),
    },
  },
  make: ({ scale, interval, layers, mode }, { attention }) =>
    perturbed({
      method: "stg",
      weight: weightOf(scale, 0),
      interval,
      perturbation: perturbationOf(mode, existingLayers("stg", layers, attention)),
    }),
});
