import type { Denoiser } from "../../diffusion/denoiser.ts";
import type { Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";

export interface AutoguidanceOptions<C> {
  /** w in weak + w*(strong - weak): 1 is off, 0 the guide's own prediction. */
  readonly weight: number;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** The worse network: trained for less time, smaller, or with a shorter EMA, on the same data and conditions. */
  readonly guide: Denoiser<C>;
}

/**
 * Autoguidance: the weak prediction is a worse network's, for the same x and the same condition.
 *
 *   D = D_guide(x; condition) + w*(D(x; condition) - D_guide(x; condition))
 *
 * Cost: 1 evaluation of the guide more where it acts.
 * Source: Karras et al. 2024 (arXiv:2406.02507), Eq. 3.
 */
export function autoguidance<C>({ weight, interval = everywhere, guide }: AutoguidanceOptions<C>): Term<C> {
  return { method: "autoguidance", weight, interval, weak: (condition) => ({ condition }), from: guide };
}
