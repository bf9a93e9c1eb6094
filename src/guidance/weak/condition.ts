import { UsageError } from "../../base/errors.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import type { Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, weakMethod, weightOption } from "../method.ts";
import type { GuidanceResources } from "../resources.ts";
import { weightOf } from "../schedules.ts";
import type { Weight } from "../weight.ts";

export interface CfgOptions<C> {
  /** w in weak + w*(strong - weak): 1 is off, 0 unconditional. The paper's own w is this one minus 1. */
  readonly weight: Weight;
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

export const cfgMethod = weakMethod({
  name: "cfg",
  role: "weak",
  summary: "Classifier-free guidance moves away from the prediction without the condition.",
  formula: "D = D(x; null) + weight*(D(x; condition) - D(x; null))",
  needs: "a label, and a network trained with condition dropout or a second, unconditional one",
  cost: "1 evaluation",
  adds: { networks: 1, gradients: 0 },
  when: "The default where there is a condition: closer to it, at the price of diversity.",
  published: "1.2 to 2 for class-conditional networks (EDM2), 7.5 for Stable Diffusion",
  source: "Ho & Salimans 2022, arXiv:2207.12598 (its w is this weight minus 1)",
  space: "any",
  strength: "weight",
  off: 1,
  options: { weight: weightOption("0 is unconditional, above 1 guides"), interval: intervalOption },
  make: (options, resources) =>
    cfg({ ...options, weight: weightOf(options.weight), unconditional: unconditionalFor(resources) }),
});

/** The separate network for CFG's weak prediction; undefined: the guided network's own null condition. */
function unconditionalFor<C>(resources: GuidanceResources<C>): Denoiser<C> | undefined {
  if (!resources.conditional) {
    throw new UsageError(
      "cfg needs a network with a condition to drop; this model's is unconditional. Use pag, autoguidance or classifier",
    );
  }
  if (resources.unconditional === undefined && resources.nullCondition === false) {
    throw new UsageError(
      "cfg needs an unconditional prediction; this network was trained without condition dropout and the model has no " +
        "unconditional network. Train one, or train with condition dropout",
    );
  }
  return resources.unconditional;
}
