import type { RuleFamily } from "../../rule.ts";
import { fusedActivations } from "./activations.ts";
import { fusedAttention } from "./attention.ts";
import { channelsLast } from "./channelsLast.ts";
import { fusedGroupQuery } from "./groupQuery.ts";
import { fusedNormalisations } from "./normalisations.ts";
import { fusedProducts } from "./products.ts";
import { fusedRotary } from "./rotary.ts";

/**
 * Operators that ONNX Runtime's optimisers put in the place of several standard ones. Each is told by what it stands for.
 * Source: ONNX Runtime, docs/ContribOperators.md.
 */
export const fused: RuleFamily = {
  ...fusedActivations,
  ...fusedProducts,
  ...fusedNormalisations,
  ...channelsLast,
  ...fusedAttention,
  ...fusedGroupQuery,
  ...fusedRotary,
};
