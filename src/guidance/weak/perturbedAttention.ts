import { UsageError } from "../../base/errors.ts";
import type { LayerSelection, Perturbation } from "../../graph/perturb.ts";
import type { Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, scaleOption, weakMethod } from "../method.ts";
import { choice, layerSelection, probability, probabilityList, wholeNumber } from "../values.ts";
import type { Weight } from "../weight.ts";
import { DIFFUSERS_SCALE, scaleFormOption, weightOfScale } from "./beside.ts";

export interface PerturbedOptions {
  /** For people. */
  readonly method: string;
  /** w in weak + w*(strong - weak): 1 is off. */
  readonly weight: Weight;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** How the network is made worse. */
  readonly perturbation: Perturbation;
}

/** A weak prediction by the same network, perturbed: D = D(x) + (w - 1)*(D(x) - D_perturbed(x)), for the same condition. */
export function perturbed<C>({
  method,
  weight,
  interval = everywhere,
  perturbation,
}: PerturbedOptions): Term<C> {
  return { method, weight, interval, weak: (strong) => ({ ...strong, perturbation }) };
}

export interface PagOptions {
  /** The paper's s, where 0 is off: weight w = s + 1. */
  readonly scale: number;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** Which self-attention layers are perturbed. */
  readonly layers: LayerSelection;
  /** What replaces their attention map; default: "identity". */
  readonly kind?: "identity" | "soft-identity" | "uniform" | "random-mask" | "off-diagonal-mask";
  /** Share u of the identity in (1 - u) A + u I, in [0, 1]: one number, or one for each head; for "soft-identity". Default 0.5. */
  readonly u?: number | readonly number[];
  /** Probability of masking a logit, in [0, 1]; for the two masks. */
  readonly p?: number;
  /** Seed of the masks. */
  readonly seed?: number;
}

/**
 * Perturbed-attention guidance: the weak prediction is the same network's, with chosen self-attention maps replaced.
 *
 *   D = D(x) + s*(D(x) - D_perturbed(x))        s = scale; the same as weight w = s + 1
 *
 * The condition is the guided prediction's, so it works without one. Cost: 1 more evaluation where it acts; less where
 * the denoiser shares the layers before the first perturbed one.
 * Source: Ahn et al. 2024 (arXiv:2403.17377), Eqs. 13 and 14; the soft identity, by head: Ahn et al. 2025 (arXiv:2506.10978).
 */
export function pag<C>({ scale, interval, ...how }: PagOptions): Term<C> {
  return perturbed({ method: "pag", weight: scale + 1, interval, perturbation: perturbationOf(how) });
}

function perturbationOf({
  layers,
  kind = "identity",
  u = 0.5,
  p,
  seed,
}: Omit<PagOptions, "scale" | "interval">): Perturbation {
  switch (kind) {
    case "identity":
    case "uniform":
      return { kind, layers };
    case "soft-identity":
      return { kind, layers, u: typeof u !== "number" && u.length === 1 ? u[0] : u };
    case "random-mask":
    case "off-diagonal-mask":
      return { kind, layers, p, seed };
  }
}

/** Which layers are perturbed, as an option. */
export const layersOption = {
  meaning:
    "which self-attention layers are perturbed: down, mid, up, part of a name, or an index, joined by |; or all",
  unit: "layers",
  default: ["mid"] as LayerSelection,
  values: layerSelection,
} as const;

export const pagMethod = weakMethod({
  name: "pag",
  role: "weak",
  summary: "Perturbed-attention guidance moves away from the same network with broken self-attention.",
  formula: "D = D(x) + scale*(D(x) - D_perturbed(x)); the same as weight scale + 1",
  formulaWith: ({ form }) => (form === "diffusers" ? DIFFUSERS_SCALE : undefined),
  needs: "a network with self-attention; no label",
  cost: "1 evaluation, less what comes before the first perturbed layer",
  adds: { networks: 1, gradients: 0 },
  when: "Structure without a label, and beside CFG.",
  published: "3, at every step, in the middle block",
  source: "Ahn et al. 2024, arXiv:2403.17377; soft-identity: Ahn et al. 2025, arXiv:2506.10978",
  space: "any",
  strength: "scale",
  off: 0,
  options: {
    scale: scaleOption("the paper's s: 0 is off, above 0 guides", 3),
    interval: intervalOption,
    layers: layersOption,
    kind: {
      meaning:
        "what replaces the attention map A: the identity, (1-u)*A + u*identity, equal attention to all, or A with logits masked at random",
      unit: "one of identity, soft-identity, uniform, random-mask, off-diagonal-mask",
      default: "identity" as const,
      values: choice("identity", "soft-identity", "uniform", "random-mask", "off-diagonal-mask"),
    },
    u: {
      meaning:
        "share of the identity; only for soft-identity: 0 is off, 1 the identity; one for all heads, or one for each joined by |",
      unit: "share, 0 to 1",
      default: [0.5] as readonly number[],
      only: ["kind", ["soft-identity"]],
      values: probabilityList,
    },
    p: {
      meaning:
        "how likely each logit is masked; only for the masks: 0 masks none, 1 off the diagonal is the identity",
      unit: "probability, 0 to 1",
      default: 0.25,
      only: ["kind", ["random-mask", "off-diagonal-mask"]],
      values: probability,
    },
    seed: {
      meaning: "which random masks; only for the masks",
      unit: "whole number",
      default: 0,
      only: ["kind", ["random-mask", "off-diagonal-mask"]],
      values: wholeNumber,
    },
    form: scaleFormOption,
  },
  conflict: ({ kind, p }) =>
    kind === "random-mask" && p === 1
      ? "p=1 masks everything under kind=random-mask: give a p below 1, or kind=off-diagonal-mask"
      : undefined,
  make: ({ scale, interval, layers, form, ...how }, { attention }, company) =>
    perturbed({
      method: "pag",
      weight: weightOfScale(scale, form, company),
      interval,
      perturbation: perturbationOf({ ...how, layers: existingLayers("pag", layers, attention) }),
    }),
});

/** The layers, if the network has them. Throws UsageError that lists those it has. */
export function existingLayers(
  method: string,
  layers: LayerSelection,
  attention: boolean | readonly string[] = false,
): LayerSelection {
  if (attention === false || (attention !== true && attention.length === 0)) {
    throw new UsageError(`${method} needs self-attention; this network has none. Use cfg or autoguidance`);
  }
  if (attention === true || layers === "all") return layers;
  for (const layer of layers) {
    const exists =
      typeof layer === "number" ? layer < attention.length : attention.some((one) => one.includes(layer));
    if (!exists) {
      throw new UsageError(
        `${method}: this network has no attention layer ${layer}; it has ` +
          attention.map((one, index) => `${index} (${one})`).join(", "),
      );
    }
  }
  return layers;
}
