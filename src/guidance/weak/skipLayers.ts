import { intervalOption, scaleOption, weakMethod } from "../method.ts";
import { choice } from "../values.ts";
import type { LayerSelection } from "../../graph/perturb.ts";
import type { Term } from "../guidance.ts";
import type { Interval } from "../interval.ts";
import { DIFFUSERS_SCALE, scaleFormOption, weightOfScale } from "./beside.ts";
import { existingLayers, layersOption, perturbed } from "./perturbedAttention.ts";

export interface SlgOptions {
  /** s, where 0 is off: weight w = s + 1. */
  readonly scale: number;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** Which blocks are skipped, by the self-attention layers in them. */
  readonly layers: LayerSelection;
  /** What gives its input in the place of its result: the block, or one of its two parts. Default: "skip-block". */
  readonly kind?: "skip-block" | "skip-attention" | "skip-feed-forward";
}

/**
 * Skip-layer guidance: the weak prediction is the same network's without chosen blocks.
 *
 *   D = D(x) + s*(D(x) - D_skipped(x))        s = scale; the same as weight w = s + 1
 *
 * Cost: 1 more evaluation where it acts, less what comes before the first skipped layer.
 * Source: Stability AI's code for Stable Diffusion 3.5 (2024); there is no paper.
 */
export function slg<C>({ scale, interval, kind = "skip-block", layers }: SlgOptions): Term<C> {
  return perturbed({ method: "slg", weight: scale + 1, interval, perturbation: { kind, layers } });
}

/** Which blocks are skipped, as an option. */
export const blocksOption = {
  ...layersOption,
  meaning:
    "which blocks, by the self-attention layers in them: down, mid, up, part of a name, or an index, joined by |; or all",
} as const;

export const slgMethod = weakMethod({
  name: "slg",
  role: "weak",
  summary: "Skip-layer guidance moves away from the same network without some of its blocks.",
  formula: "D = D(x) + scale*(D(x) - D_skipped(x)); the same as weight scale + 1",
  formulaWith: ({ form }) => (form === "diffusers" ? DIFFUSERS_SCALE : undefined),
  needs: "a network with self-attention, whose blocks add to what enters them; no label",
  cost: "1 evaluation, less what comes before the first skipped block",
  adds: { networks: 1, gradients: 0 },
  when: "Transformers whose limbs and hands come out wrong, at high noise only: give an interval.",
  published:
    "scale 2.8, blocks 7|8|9 of 24, steps 1 to 20 % (Stable Diffusion 3.5 Medium; with its shift of 3 that is interval=12..297); ComfyUI 3 and 1 to 15 %",
  source: "Stability AI 2024, code of Stable Diffusion 3.5 (no paper)",
  space: "any",
  strength: "scale",
  off: 0,
  options: {
    scale: scaleOption("how far it moves away: 0 is off, above 0 guides", 2.8),
    interval: intervalOption,
    layers: blocksOption,
    kind: {
      meaning:
        "what gives its input in the place of its result: the whole block, its attention, or the feed-forward layer behind that",
      unit: "one of skip-block, skip-attention, skip-feed-forward",
      default: "skip-block" as const,
      values: choice("skip-block", "skip-attention", "skip-feed-forward"),
    },
    form: {
      ...scaleFormOption,
      meaning: scaleFormOption.meaning.replace("diffusers takes", "paper is Stability AI's; diffusers takes"),
    },
  },
  make: ({ scale, interval, layers, kind, form }, { attention }, company) =>
    perturbed({
      method: "slg",
      weight: weightOfScale(scale, form, company),
      interval,
      perturbation: { kind, layers: existingLayers("slg", layers, attention) },
    }),
});
