import { UsageError } from "../../base/errors.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import type { Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, weakMethod, weightOption } from "../method.ts";
import { weightOf } from "../schedules.ts";
import { name } from "../values.ts";
import type { Weight } from "../weight.ts";

export interface AutoguidanceOptions<C> {
  /** w in weak + w*(strong - weak): 1 is off, 0 the guide's own prediction. */
  readonly weight: Weight;
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
  return {
    method: "autoguidance",
    weight,
    interval,
    weak: (strong) => strong,
    from: guide,
  };
}

export const autoguidanceMethod = weakMethod({
  name: "autoguidance",
  role: "weak",
  summary: "Autoguidance moves away from a worse network's prediction for the same condition.",
  formula: "D = D_guide(x; condition) + weight*(D(x; condition) - D_guide(x; condition))",
  needs:
    "a guide: a network trained for less time, a smaller one, or one with a shorter EMA; a training's folder offers its snapshots " +
    "and averages, as in guide=32000-ema",
  cost: "1 evaluation of the guide",
  adds: { networks: 1, gradients: 0 },
  when:
    "Fewer outliers without losing diversity; with or without a label. The paper's mix with cfg (Eq. 6, total weight w, share a of " +
    "autoguidance) is cfg:W+autoguidance:V with W = (1 - a)*(w - 1) + 1 and V = a*(w - 1) + 1.",
  published: "1.7 to 2.9 with a guide that is smaller and less trained (EDM2)",
  source: "Karras et al. 2024, arXiv:2406.02507",
  space: "any",
  strength: "weight",
  off: 1,
  options: {
    weight: weightOption("0 is the guide, above 1 guides"),
    interval: intervalOption,
    guide: {
      meaning: "which of the model's guides (fairlead models lists them); without it, the first",
      unit: "name",
      values: name,
    },
  },
  make: (options, { guides = {} }) =>
    autoguidance({ ...options, weight: weightOf(options.weight), guide: guideNamed(options.guide, guides) }),
});

function guideNamed<C>(
  wanted: string | undefined,
  guides: Readonly<Record<string, Denoiser<C>>>,
): Denoiser<C> {
  const names = Object.keys(guides);
  if (names.length === 0) {
    throw new UsageError(
      "autoguidance needs a guide, a worse network for the same data; this model has none. Train a smaller or shorter one",
    );
  }
  if (wanted !== undefined && !Object.hasOwn(guides, wanted)) {
    throw new UsageError(
      `autoguidance: this model has no guide "${wanted}"; its guides: ${names.join(", ")}`,
    );
  }
  return guides[wanted ?? names[0]];
}
