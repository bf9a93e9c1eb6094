import { UsageError } from "../../base/errors.ts";
import type { Constant } from "../graph.ts";

/**
 * Which attention layers: "all", or names (a part of one, or a regular expression between slashes as in "/attn1$/"),
 * positions ("down", "mid", "up") and indices in the order in which they run.
 */
export type LayerSelection = "all" | readonly (string | number)[];

interface OfLayers {
  readonly layers: LayerSelection;
  /** Which kind of attention is meant; default: "self", which is self-attention and joint attention. */
  readonly attention?: "self" | "cross" | "any";
}

interface Drawn {
  /** Probability, in [0, 1]. Default 0.25. */
  readonly p?: number;
  /** Default 0. What is drawn depends on (seed, layer, sigma) and is the same for every row of the batch and every head. */
  readonly seed?: number;
}

/** A tensor of zeros and ones, 1 where a score is hidden: [1, heads or 1, queries, keys]. */
export type FixedMask = Pick<Constant, "shape"> & { readonly data: ArrayLike<number> };

/**
 * How a network is made worse. A = softmax(S), S = Q K'/sqrt(d), is the attention map of a chosen layer, N its keys.
 *
 * identity            A = I, so the result is V (PAG, arXiv:2403.17377, Eq. 13)
 * soft-identity       (1 - u) A + u I; u one number, or one for each head (SoftPAG, arXiv:2506.10978)
 * uniform             A = 1/N
 * random-mask         S = -inf with probability p
 * off-diagonal-mask   the same, the diagonal always kept; p = 1 is the identity
 * mask                S = -inf where a given mask is 1
 * blur-queries        Q blurred over the grid of tokens by a Gaussian of standard deviation sigma, in tokens; Infinity: every
 *                     query is the mean (SEG, arXiv:2408.00760)
 * attention-dropout   entries of A to zero with probability p, the others times 1/(1 - p)
 * zero-attention      the attention module gives zero, bias included: only what is added to it passes
 * skip-attention      the attention module gives its input (LayerSkipConfig(skip_ff=False) of diffusers)
 * skip-feed-forward   the feed-forward module behind the attention gives its input
 * skip-block          the whole block gives its input (SLG; STG-R, arXiv:2411.18664)
 * drop-blocks         a share p of the chosen blocks, but at least one, give their input; which ones is drawn (S^2-Guidance,
 *                     arXiv:2508.12880)
 * shuffle-tokens      the tokens that enter the block in random order (TPG, arXiv:2506.10036)
 * weight-noise        w + std * (standard deviation of w) * normal noise, for chosen weights
 *
 * In a joint attention (image tokens and text in one sequence) only the image's part is perturbed: rows and columns of A, rows
 * of Q, the image's stream; skip-block takes both streams. The identity is there the softmax over what is left when an
 * image token sees no other image token but all text, as in diffusers.
 */
export type Perturbation =
  | (OfLayers & { readonly kind: "identity" | "uniform" })
  | SoftIdentity
  | RandomMask
  | AttentionDropout
  | (OfLayers & { readonly kind: "mask"; readonly masks: Readonly<Record<string, FixedMask>> })
  | BlurQueries
  | Skip
  | DropBlocks
  | ShuffleTokens
  | WeightNoise;

export interface SoftIdentity extends OfLayers {
  readonly kind: "soft-identity";
  readonly u: number | readonly number[];
}

export interface RandomMask extends OfLayers, Drawn {
  readonly kind: "random-mask" | "off-diagonal-mask";
}

export interface AttentionDropout extends OfLayers, Drawn {
  readonly kind: "attention-dropout";
}

export interface BlurQueries extends OfLayers {
  readonly kind: "blur-queries";
  readonly sigma: number;
  /** Height and width of the grid of tokens, row by row; default: from the shape of the network's sample. */
  readonly grid?: readonly [height: number, width: number];
}

export interface Skip extends OfLayers {
  readonly kind: "zero-attention" | "skip-attention" | "skip-feed-forward" | "skip-block";
}

export interface DropBlocks extends OfLayers {
  readonly kind: "drop-blocks";
  /** Share of the chosen blocks, in [0, 1]; 0 is off. Default 0.1. */
  readonly p?: number;
  /** Default 0. Which blocks are dropped depends on (seed, sigma) and is the same for every row of the batch. */
  readonly seed?: number;
}

export interface ShuffleTokens extends OfLayers {
  readonly kind: "shuffle-tokens";
  readonly seed?: number;
}

export interface WeightNoise {
  readonly kind: "weight-noise";
  /** Relative to each tensor's own standard deviation; 0 is off. */
  readonly std: number;
  readonly seed?: number;
  /** Names of weights or of the modules they are in: a part of one, or /regular expression/; default: all matrices and kernels. */
  readonly weights?: readonly string[];
}

export type PerturbationKind = Perturbation["kind"];

/** Probability where none is given. */
export const DEFAULT_P = 0.25;
/** Share of dropped blocks where none is given. */
export const DEFAULT_DROPPED = 0.1;

interface Option {
  readonly wanted: string;
  readonly holds: (value: unknown) => boolean;
  readonly required?: boolean;
}

const isNumber = (value: unknown): value is number => typeof value === "number" && !Number.isNaN(value);
const inUnit = (value: unknown): boolean => isNumber(value) && value >= 0 && value <= 1;
const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const listOf = (value: unknown, holds: (one: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length > 0 && value.every(holds);
const isText = (value: unknown): boolean => typeof value === "string" && value !== "";

const layers: Option = {
  wanted: '"all", or a list of names, positions and indices',
  holds: (value) => value === "all" || listOf(value, (one) => isText(one) || isWhole(one)),
  required: true,
};
const attention: Option = {
  wanted: '"self", "cross" or "any"',
  holds: (value) => ["self", "cross", "any"].includes(value as string),
};
const p: Option = { wanted: "a probability from 0 to 1", holds: inUnit };
const seed: Option = { wanted: "a whole number from 0", holds: isWhole };
const chosen = { layers, attention };

/** The options of every kind: what `checkPerturbation` accepts. */
const kinds: Readonly<Record<PerturbationKind, Readonly<Record<string, Option>>>> = {
  identity: chosen,
  uniform: chosen,
  "soft-identity": {
    ...chosen,
    u: {
      wanted: "a number from 0 to 1, or one for each head",
      holds: (value) => inUnit(value) || listOf(value, inUnit),
      required: true,
    },
  },
  "random-mask": { ...chosen, p, seed },
  "off-diagonal-mask": { ...chosen, p, seed },
  "attention-dropout": {
    ...chosen,
    p: { wanted: "a probability from 0, below 1", holds: (value) => inUnit(value) && value !== 1 },
    seed,
  },
  mask: {
    ...chosen,
    masks: {
      wanted: "a mask for each chosen layer, by the layer's name",
      holds: (value) => typeof value === "object" && value !== null,
      required: true,
    },
  },
  "blur-queries": {
    ...chosen,
    sigma: {
      wanted: "a number above 0, or Infinity",
      holds: (value) => isNumber(value) && value > 0,
      required: true,
    },
    grid: {
      wanted: "[height, width] in tokens",
      holds: (value) =>
        listOf(value, (one) => isWhole(one) && one !== 0) && (value as unknown[]).length === 2,
    },
  },
  "zero-attention": chosen,
  "skip-attention": chosen,
  "skip-feed-forward": chosen,
  "skip-block": chosen,
  "drop-blocks": { ...chosen, p, seed },
  "shuffle-tokens": { ...chosen, seed },
  "weight-noise": {
    std: {
      wanted: "a finite number from 0",
      holds: (value) => isNumber(value) && value >= 0 && value < Infinity,
      required: true,
    },
    seed,
    weights: { wanted: "a list of names", holds: (value) => listOf(value, isText) },
  },
};

/** Throws UsageError for an unknown kind, an unknown, missing or wrong option. */
export function checkPerturbation(how: Perturbation): void {
  if (!Object.hasOwn(kinds, how.kind)) {
    throw new UsageError(
      `there is no perturbation of kind "${how.kind}"; the kinds are: ${Object.keys(kinds).join(", ")}`,
    );
  }
  const options = kinds[how.kind];
  const given = Object.entries(how).filter(([key, value]) => key !== "kind" && value !== undefined);
  for (const [key, value] of given) {
    if (!Object.hasOwn(options, key)) {
      const known = Object.keys(options).join(", ");
      throw new UsageError(`a perturbation of kind "${how.kind}" has no option "${key}"; it has: ${known}`);
    }
    const { wanted, holds } = options[key];
    if (!holds(value)) {
      throw new UsageError(
        `"${key}" of a perturbation of kind "${how.kind}" is ${wanted}, got ${String(value)}`,
      );
    }
  }
  for (const [key, { required, wanted }] of Object.entries(options)) {
    if (required && !given.some(([name]) => name === key)) {
      throw new UsageError(`a perturbation of kind "${how.kind}" needs "${key}": ${wanted}`);
    }
  }
}

/** A text that is equal for equal perturbations, whatever the order of their options; fixed masks are equal to themselves. */
export function perturbationKey(how: Perturbation | undefined): string {
  if (!how) return "";
  const options = Object.entries(how).filter(([, value]) => value !== undefined);
  return JSON.stringify(
    options.sort(([a], [b]) => (a < b ? -1 : 1)),
    (_, value: unknown) => {
      if (ArrayBuffer.isView(value)) return `data ${identityOf(value)}`;
      return value === Infinity ? "Infinity" : value;
    },
  );
}

const identities = new WeakMap<object, number>();
let objects = 0;

function identityOf(value: object): number {
  const known = identities.get(value) ?? objects++;
  identities.set(value, known);
  return known;
}
