import type { Denoiser } from "../../diffusion/denoiser.ts";
import type { LayerSelection } from "../../graph/perturb.ts";
import type { Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, scaleOption, weakMethod } from "../method.ts";
import { choice, positiveOrInf } from "../values.ts";
import type { Weight } from "../weight.ts";
import {
  type Compares,
  DIFFUSERS_SCALE,
  comparedBranch,
  comparedIn,
  comparing,
  weightOfScale,
} from "./beside.ts";
import { existingLayers, layersOption } from "./perturbedAttention.ts";

export interface SegOptions<C> {
  /** w in weak + w*(compared - weak): 1 is off; the paper's gamma beside CFG is w - 1. */
  readonly weight: Weight;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** Which self-attention layers have their queries blurred. */
  readonly layers: LayerSelection;
  /** Standard deviation of the blur in tokens, above 0; default: Infinity, the mean of all queries. */
  readonly sigma?: number;
  /** Default: "strong". "unconditional": what the paper does beside CFG. */
  readonly compares?: Compares;
  /** The network of the unconditional predictions; absent: the guided one. */
  readonly from?: Denoiser<C>;
}

/**
 * Smoothed-energy guidance: the weak prediction is the same network's with blurred queries in chosen self-attention layers, which
 * flattens the energy whose minima attention looks for.
 *
 *   D = D(x) + s*(D(x; c') - D_blurred(x; c'))        s = weight - 1; c' the condition, or none beside CFG
 *
 * With weight w_cfg of CFG that is Eq. 10 of the paper: (1 - g_cfg + g_seg) u + g_cfg c - g_seg u_blurred with g_cfg = w_cfg,
 * g_seg = s.
 *
 * Cost: 1 more evaluation where it acts; the unconditional prediction once more where CFG does not act.
 * Source: Hong 2024 (arXiv:2408.00760), Eqs. 8 and 10.
 */
export function seg<C>({
  weight,
  interval = everywhere,
  layers,
  sigma = Infinity,
  compares = "strong",
  from,
}: SegOptions<C>): Term<C> {
  const perturbation = { kind: "blur-queries", layers, sigma } as const;
  return {
    method: "seg",
    weight,
    interval,
    weak: (strong) => ({ ...comparedBranch(compares, strong), perturbation }),
    ...comparing(compares, from),
  };
}

export const segMethod = weakMethod({
  name: "seg",
  role: "weak",
  summary: "Smoothed-energy guidance moves away from the same network with blurred attention queries.",
  formula:
    "D = D(x) + scale*(D(x; c') - D_blurred(x; c')); c' is no condition beside cfg, else the condition",
  formulaWith: ({ form }) => {
    if (form === "diffusers") return DIFFUSERS_SCALE;
    return form === "strong" ? "D = D(x) + scale*(D(x) - D_blurred(x))" : undefined;
  },
  needs: "a network with self-attention; no label",
  cost: "1 evaluation, less what comes before the first blurred layer",
  adds: { networks: 1, gradients: 0 },
  when: "As pag, but gentler: sigma sets how much is lost, so that colours stay at larger scales.",
  published: "scale 3 with sigma inf (best FID) or 10, in the middle block, at every step",
  source: "Hong 2024, arXiv:2408.00760",
  space: "any",
  strength: "scale",
  off: 0,
  options: {
    scale: scaleOption(
      "how far it moves away: 0 is off; beside cfg the paper's gamma, alone its gamma minus 1",
      3,
    ),
    interval: intervalOption,
    layers: {
      ...layersOption,
      meaning: layersOption.meaning.replace("are perturbed", "have their queries blurred"),
    },
    sigma: {
      meaning:
        "width of the blur over the grid of tokens; inf takes the mean of all queries, towards 0 is off",
      unit: "tokens (standard deviation)",
      default: Infinity,
      values: positiveOrInf,
    },
    form: {
      meaning:
        "beside cfg, paper compares the unconditional predictions, strong and diffusers the conditional ones; where cfg does not act, diffusers takes the scale as a weight, so that 1 is off as well as 0",
      unit: "one of paper, strong, diffusers",
      default: "paper" as const,
      values: choice("paper", "strong", "diffusers"),
    },
  },
  make: ({ scale, interval, layers, sigma, form }, resources, company) =>
    seg({
      weight: weightOfScale(scale, form, company),
      interval,
      layers: existingLayers("seg", layers, resources.attention),
      sigma,
      ...comparedIn(form, resources, company),
    }),
});
