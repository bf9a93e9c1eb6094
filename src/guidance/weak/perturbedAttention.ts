import type { LayerSelection, Perturbation } from "../../graph/perturb.ts";
import type { Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";

export interface PagOptions {
  /** The paper's s, where 0 is off: weight w = s + 1. */
  readonly scale: number;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** Which self-attention layers are perturbed. */
  readonly layers: LayerSelection;
  /** What replaces their attention map; default: "identity". */
  readonly kind?: Perturbation["kind"];
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
 * Source: Ahn et al. 2024 (arXiv:2403.17377), Eqs. 13 and 14.
 */
export function pag<C>({ scale, interval = everywhere, ...how }: PagOptions): Term<C> {
  const { layers, kind = "identity", p, seed } = how;
  const perturbation: Perturbation = kind === "identity" ? { kind, layers } : { kind, layers, p, seed };
  return { method: "pag", weight: scale + 1, interval, weak: (condition) => ({ condition, perturbation }) };
}
