/** Which attention layers: names (substring of the layer's name), positions ("down", "mid", "up"), indices in execution order, or "all". */
export type LayerSelection = "all" | readonly (string | number)[];

/**
 * How the self-attention map A = softmax(QK'/sqrt(d)) of the selected layers is replaced.
 * identity: A = I, so the result is V (PAG, arXiv:2403.17377, Eq. 13).
 * random-mask: logits are set to -inf with probability p, everywhere.
 * off-diagonal-mask: the same, the diagonal always kept. p = 1 is the identity.
 */
export interface Perturbation {
  readonly kind: "identity" | "random-mask" | "off-diagonal-mask";
  readonly layers: LayerSelection;
  /** Probability of masking a logit, in [0, 1]; for the two masks. */
  readonly p?: number;
  /** Seed of the masks; a mask depends on (seed, layer, sigma) and is the same for every row of the batch. */
  readonly seed?: number;
}
