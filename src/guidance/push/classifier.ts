import { UsageError } from "../../base/errors.ts";
import type { Base, Push } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, numberOption, pushMethod } from "../method.ts";
import type { GuidanceResources, NoiseAwareClassifier } from "../resources.ts";
import { choice } from "../values.ts";

export interface ClassifierGuidanceOptions<C> {
  /** The paper's s: 0 is off, 1 is Bayes' rule. */
  readonly scale: number;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  readonly classifier: NoiseAwareClassifier<C>;
  /** The pushed prediction; default: the unconditional one when pushes stand alone, else the conditional one. */
  readonly base?: Base;
}

/**
 * Classifier guidance: the prediction moves along the gradient of a noise-aware classifier's log probability.
 *
 *   D = D_base(x) + scale*sigma^2 * grad_x log p(y|x; sigma)
 *
 * which is score + scale*grad, and eps - scale*sigma*grad. On the unconditional prediction it does what CFG of weight
 * `scale` does, on the conditional one what CFG of weight 1 + scale does, as far as the networks are exact.
 * Cost: 1 gradient where it acts. Throws, when sampling, a UsageError without a label.
 * Source: Dhariwal & Nichol 2021 (arXiv:2105.05233), Section 4 and Algorithm 2.
 */
export function classifierGuidance<C>(options: ClassifierGuidanceOptions<C>): Push<C> {
  const { scale, interval = everywhere, classifier, base } = options;
  return {
    method: "classifier",
    scale,
    interval,
    base,
    async gradient(x, sigma, condition) {
      if (condition === null)
        throw new UsageError("classifier guidance needs a label to guide towards: give one");
      return classifier.logProbabilityGradient(x, sigma, condition);
    },
  };
}

export const classifierMethod = pushMethod({
  name: "classifier",
  role: "push",
  summary: "Classifier guidance moves along the gradient of a noise-aware classifier.",
  formula: "D = D_base(x) + scale*sigma^2 * grad log p(label | x; sigma)",
  needs: "a label, and a classifier trained on noised samples",
  cost: "1 gradient of the classifier",
  adds: { networks: 0, gradients: 1 },
  when: "A label for a network that was trained without; else CFG is better.",
  published: "0.5 to 1 on class-conditional networks, 10 on unconditional ones (ADM, ImageNet 256)",
  source: "Dhariwal & Nichol 2021, arXiv:2105.05233",
  space: "any",
  strength: "scale",
  off: 0,
  options: {
    scale: numberOption("the paper's s: 0 is off, 1 is Bayes' rule on the unconditional prediction", 1),
    interval: intervalOption,
    base: {
      meaning: "the prediction it moves; without it, null if only classifiers guide, else condition",
      unit: "one of null, condition",
      values: choice("null", "condition"),
    },
  },
  make: (options, resources) => classifierGuidance({ ...options, classifier: classifierOf(resources) }),
});

function classifierOf<C>({ classifier }: GuidanceResources<C>): NoiseAwareClassifier<C> {
  if (classifier !== undefined) return classifier;
  throw new UsageError(
    "classifier guidance needs a classifier trained on noised samples; this model has none. Train one, or use cfg",
  );
}
