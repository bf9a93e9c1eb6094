import type { LayerSelection, Perturbation } from "../graph/perturb.ts";
import type { Base } from "./guidance.ts";
import { everywhere } from "./interval.ts";
import type { Interval } from "./interval.ts";
import {
  choice,
  finiteNumber,
  layerSelection,
  name,
  probability,
  sigmaInterval,
  wholeNumber,
} from "./values.ts";
import type { ValueKind } from "./values.ts";

export interface CfgSpec {
  readonly method: "cfg";
  readonly weight: number;
  readonly interval: Interval;
}

export interface PagSpec {
  readonly method: "pag";
  readonly scale: number;
  readonly interval: Interval;
  readonly layers: LayerSelection;
  readonly kind: Perturbation["kind"];
  /** Only for the masks. */
  readonly p?: number;
  /** Only for the masks. */
  readonly seed?: number;
}

export interface AutoguidanceSpec {
  readonly method: "autoguidance";
  readonly weight: number;
  readonly interval: Interval;
  /** Absent: the model's first guide. */
  readonly guide?: string;
}

export interface ClassifierSpec {
  readonly method: "classifier";
  readonly scale: number;
  readonly interval: Interval;
  /** Absent: null when only classifiers guide, else condition. */
  readonly base?: Base;
}

/** One guidance method and its options: plain data, without a model. */
export type MethodSpec = CfgSpec | PagSpec | AutoguidanceSpec | ClassifierSpec;

export interface MethodOption {
  /** What it does, with its convention: which value is off, what absent means. */
  readonly meaning: string;
  readonly unit: string;
  /** Absent: no value unless given. */
  readonly default?: unknown;
  /** It does not exist where another option has this value: [key, value]. */
  readonly unless?: readonly [key: string, value: string];
  readonly values: ValueKind<unknown>;
}

export interface Method {
  /** What it is, in a sentence. */
  readonly summary: string;
  readonly formula: string;
  /** What a model must have. */
  readonly needs: string;
  /** What it adds to the one evaluation of unguided sampling, where it acts. */
  readonly cost: string;
  readonly source: string;
  /** The option that a bare number sets. */
  readonly strength: "weight" | "scale";
  readonly options: Readonly<Record<string, MethodOption>>;
  /** What is wrong with options that are each right alone. */
  readonly conflict?: (spec: Readonly<Record<string, unknown>>) => string | undefined;
}

const weight = (off: string): MethodOption => ({
  meaning: `w in weak + w*(strong - weak): 1 is off, ${off}`,
  unit: "none",
  default: 2,
  values: finiteNumber,
});

const interval: MethodOption = {
  meaning: "where it acts: LOW < sigma <= HIGH; elsewhere it is off and costs nothing",
  unit: "sigma (standard deviation of the noise)",
  default: everywhere,
  values: sigmaInterval,
};

/** Every guidance method: what `parseGuidance` accepts, and what help prints. */
export const methods = {
  cfg: {
    summary: "Classifier-free guidance moves away from the prediction without the condition.",
    formula: "D = D(x; null) + weight*(D(x; condition) - D(x; null))",
    needs: "a label, and a network trained with condition dropout or a second, unconditional one",
    cost: "1 evaluation",
    source: "Ho & Salimans 2022, arXiv:2207.12598 (its w is this weight minus 1)",
    strength: "weight",
    options: { weight: weight("0 is unconditional, above 1 guides"), interval },
  },
  pag: {
    summary: "Perturbed-attention guidance moves away from the same network with broken self-attention.",
    formula: "D = D(x) + scale*(D(x) - D_perturbed(x)); the same as weight scale + 1",
    needs: "a network with self-attention; no label",
    cost: "1 evaluation, less what comes before the first perturbed layer",
    source: "Ahn et al. 2024, arXiv:2403.17377",
    strength: "scale",
    options: {
      scale: {
        meaning: "the paper's s: 0 is off, above 0 guides",
        unit: "none",
        default: 3,
        values: finiteNumber,
      },
      interval,
      layers: {
        meaning:
          "which self-attention layers are perturbed: down, mid, up, part of a name, or an index, joined by |; or all",
        unit: "layers",
        default: ["mid"],
        values: layerSelection,
      },
      kind: {
        meaning: "what replaces the attention map: the identity, or the map with logits masked at random",
        unit: "one of identity, random-mask, off-diagonal-mask",
        default: "identity",
        values: choice("identity", "random-mask", "off-diagonal-mask"),
      },
      p: {
        meaning:
          "how likely each logit is masked; only for the masks: 0 masks none, 1 off the diagonal is the identity",
        unit: "probability, 0 to 1",
        default: 0.25,
        unless: ["kind", "identity"],
        values: probability,
      },
      seed: {
        meaning: "which random masks; only for the masks",
        unit: "whole number",
        default: 0,
        unless: ["kind", "identity"],
        values: wholeNumber,
      },
    },
    conflict: ({ kind, p }) =>
      kind === "random-mask" && p === 1
        ? "p=1 masks everything under kind=random-mask: give a p below 1, or kind=off-diagonal-mask"
        : undefined,
  },
  autoguidance: {
    summary: "Autoguidance moves away from a worse network's prediction for the same condition.",
    formula: "D = D_guide(x; condition) + weight*(D(x; condition) - D_guide(x; condition))",
    needs: "a guide: a network trained for less time, a smaller one, or one with a shorter EMA",
    cost: "1 evaluation of the guide",
    source: "Karras et al. 2024, arXiv:2406.02507",
    strength: "weight",
    options: {
      weight: weight("0 is the guide, above 1 guides"),
      interval,
      guide: { meaning: "which of the model's guides; without it, the first", unit: "name", values: name },
    },
  },
  classifier: {
    summary: "Classifier guidance moves along the gradient of a noise-aware classifier.",
    formula: "D = D_base(x) + scale*sigma^2 * grad log p(label | x; sigma)",
    needs: "a label, and a classifier trained on noised samples",
    cost: "1 gradient of the classifier",
    source: "Dhariwal & Nichol 2021, arXiv:2105.05233",
    strength: "scale",
    options: {
      scale: {
        meaning: "the paper's s: 0 is off, 1 is Bayes' rule on the unconditional prediction",
        unit: "none",
        default: 1,
        values: finiteNumber,
      },
      interval,
      base: {
        meaning: "the prediction it moves; without it, null if only classifiers guide, else condition",
        unit: "one of null, condition",
        values: choice("null", "condition"),
      },
    },
  },
} satisfies Record<MethodSpec["method"], Method>;

/** The method of that name, or undefined. */
export function methodNamed(method: string): Method | undefined {
  return Object.hasOwn(methods, method) ? methods[method as MethodSpec["method"]] : undefined;
}
