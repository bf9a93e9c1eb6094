import { UsageError } from "../../base/errors.ts";
import type { Base, Push } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, pushMethod, scaleOption } from "../method.ts";
import type { CleanClassifier, GuidanceResources } from "../resources.ts";
import { scaleOf } from "../schedules.ts";
import type { Weight } from "../weight.ts";
import { baseOption } from "./classifier.ts";
import { factorOf, gradientsThrough, throughDenoiser, throughOption } from "./throughDenoiser.ts";
import type { Through } from "./throughDenoiser.ts";

export interface CleanClassifierGuidanceOptions<C> {
  /** 0 is off, 1 is Bayes' rule with the prediction in the place of the clean sample. */
  readonly scale: Weight;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  readonly classifier: CleanClassifier<C>;
  /** The pushed prediction; default: the unconditional one when pushes stand alone, else the conditional one. */
  readonly base?: Base;
  /** How the gradient comes to x. Default "denoiser". */
  readonly through?: Through;
}

/**
 * Classifier guidance by a classifier of clean samples, which looks at the prediction of x0:
 *
 *   D = D_base(x) + scale*sigma^2 * J' grad log p(y|x0) at x0 = D_base(x),   J = dD_base/dx
 *
 * The gradient is that of log p(y|D(x; sigma)) with respect to x, which takes the place of log p(y|x; sigma): they are
 * equal where log p(y|x0) is linear in x0. As sigma^2 J is the covariance of x0 given x, the push is never larger than what is
 * left to decide. `through` gives J in closed form instead, for no evaluation of the network.
 * Cost: 1 gradient of the classifier, and 1 through the network. Throws, when sampling, a UsageError without a label, and for a
 * network that cannot be differentiated.
 * Source: Bansal et al. 2023 (arXiv:2302.07121), forward universal guidance, whose s(t) = s*sqrt(1 - abar) is this scale;
 * Chung et al. 2022 (arXiv:2209.14687) for the gradient through the denoiser.
 */
export function cleanClassifierGuidance<C>(options: CleanClassifierGuidanceOptions<C>): Push<C> {
  const { scale, interval = everywhere, classifier, base, through = "denoiser" } = options;
  return {
    method: "clean-classifier",
    scale,
    interval,
    base,
    gradients: gradientsThrough(through),
    async gradient(at) {
      const { condition } = at;
      if (condition === null)
        throw new UsageError("clean-classifier guidance needs a label to guide towards: give one");
      return throughDenoiser(at, through, (x0) => classifier.logProbabilityGradient(x0, condition));
    },
  };
}

export const cleanClassifierMethod = pushMethod({
  name: "clean-classifier",
  role: "push",
  summary: "Off-the-shelf classifier guidance shows the prediction of x0 to a classifier of clean samples.",
  formula: "D = D_base(x) + scale*sigma^2 * J' grad log p(label | D_base(x)), J = dD_base/dx",
  formulaWith: ({ through }) =>
    `D = D_base(x) + scale*sigma^2 * ${factorOf(through)} grad log p(label | D_base(x))`,
  needs:
    "a label, a classifier trained on clean samples, and (through=denoiser) a network that can be differentiated",
  cost: "1 gradient of the classifier and 1 through the network, about 3 evaluations; through=gaussian: the classifier's alone",
  adds: { networks: 0, gradients: 2 },
  when: "Where no classifier of noised samples exists. It also finds what fools its classifier: judge samples by another one. through=gaussian is cheaper, and breaks images at scales that through=denoiser bears.",
  published:
    "no one value: from 2 (CLIP on ImageNet 256) to 400 (segmentation maps), with 2 to 10 turns a step (universal guidance)",
  source: "Bansal et al. 2023, arXiv:2302.07121; Chung et al. 2022, arXiv:2209.14687",
  space: "any",
  strength: "scale",
  off: 0,
  options: {
    scale: scaleOption("0 is off, 1 is Bayes' rule with the prediction in the place of the clean sample", 1),
    interval: intervalOption,
    base: baseOption,
    through: throughOption,
  },
  make: ({ scale, ...options }, resources) =>
    cleanClassifierGuidance({ ...options, scale: scaleOf(scale), classifier: classifierOf(resources) }),
});

function classifierOf<C>({ cleanClassifier }: GuidanceResources<C>): CleanClassifier<C> {
  if (cleanClassifier !== undefined) return cleanClassifier;
  throw new UsageError(
    "clean-classifier guidance needs a classifier of clean samples; this model has none. Name one as extractor in its model.json, or use cfg",
  );
}
