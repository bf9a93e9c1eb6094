import type { Denoiser } from "../../diffusion/denoiser.ts";
import type { Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";

export interface CfgOptions<C> {
  /** w in weak + w*(strong - weak): 1 is off, 0 unconditional. The paper's own w is this one minus 1. */
  readonly weight: number;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** A separate unconditional network; absent: the guided network itself, with the null condition. */
  readonly unconditional?: Denoiser<C>;
}

/**
 * Classifier-free guidance: the weak prediction is the one without the condition.
 *
 *   D = D(x; null) + w*(D(x; condition) - D(x; null))
 *
 * Cost: 1 more evaluation where it acts. Needs a network trained with condition dropout, or a second, unconditional one.
 * Source: Ho & Salimans 2022 (arXiv:2207.12598), Eq. 6.
 */
export function cfg<C>({ weight, interval = everywhere, unconditional }: CfgOptions<C>): Term<C> {
  return { method: "cfg", weight, interval, weak: () => ({ condition: null }), from: unconditional };
}
