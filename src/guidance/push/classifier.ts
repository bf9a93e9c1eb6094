import { UsageError } from "../../base/errors.ts";
import type { Base, Push } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, pushMethod, scaleOption } from "../method.ts";
import type { GuidanceResources, NoiseAwareClassifier } from "../resources.ts";
import { scaleOf } from "../schedules.ts";
import { choice } from "../values.ts";
import type { Weight } from "../weight.ts";

export interface ClassifierGuidanceOptions<C> {
  /** The paper's s: 0 is off, 1 is Bayes' rule. */
  readonly scale: Weight;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  readonly classifier: NoiseAwareClassifier<C>;
  /** The pushed prediction; default: the unconditional one when pushes stand alone, else the conditional one. */
  readonly base?: Base;
  /** What moves: the prediction (Algorithm 2), or the mean of the sampler's step (Algorithm 1). Default "score". */
  readonly form?: "score" | "mean-shift";
  /** Where the gradient of a mean shift is taken. Default "mean". */
  readonly at?: "mean" | "x";
}

/**
 * Classifier guidance: samples move along the gradient of a noise-aware classifier's log probability. In the form "score" the
 * prediction moves, under any sampler:
 *
 *   D = D_base(x) + scale*sigma^2 * grad_x log p(y|x; sigma)
 *
 * which is score + scale*grad, and eps - scale*sigma*grad (Algorithm 2). In the form "mean-shift" the mean of the sampler's step to
 * sigma' moves, by the variance v of its noise; the prediction stays, and the step to 0, which adds no noise, is as it was:
 *
 *   mean' = mean + v*scale * grad log p(y|mean; sigma')                                        at "mean", the paper's derivation
 *   mean' = mean + v*scale * grad_x log p(y|x; sigma) * sqrt((1 + sigma^2)/(1 + sigma'^2))     at "x", the authors' program
 *
 * (Algorithm 1; the root turns the gradient with respect to DDPM's sqrt(abar) x). All three are the same as steps become
 * small. On the unconditional prediction it does what CFG of weight `scale` does, on the conditional one what CFG of weight
 * 1 + scale does, as far as the networks are exact.
 * Cost: 1 gradient where it acts. Throws, when sampling, a UsageError without a label.
 * Source: Dhariwal & Nichol 2021 (arXiv:2105.05233), Section 4, Algorithms 1 and 2.
 */
export function classifierGuidance<C>(options: ClassifierGuidanceOptions<C>): Push<C> {
  const { scale, interval = everywhere, classifier, base, form = "score", at = "mean" } = options;
  return {
    method: "classifier",
    scale,
    interval,
    base,
    ...(form === "mean-shift" && { shift: at }),
    async gradient({ x, sigma, condition }) {
      if (condition === null)
        throw new UsageError("classifier guidance needs a label to guide towards: give one");
      return classifier.logProbabilityGradient(x, sigma, condition);
    },
  };
}

/** Which prediction a push moves, as an option. */
export const baseOption = {
  meaning: "the prediction it moves; without it, null if only classifiers guide, else condition",
  unit: "one of null, condition",
  values: choice("null", "condition"),
} as const;

export const classifierMethod = pushMethod({
  name: "classifier",
  role: "push",
  summary: "Classifier guidance moves along the gradient of a noise-aware classifier.",
  formula: "D = D_base(x) + scale*sigma^2 * grad log p(label | x; sigma)",
  formulaWith: ({ form, at }) =>
    form === "mean-shift"
      ? `mean = mean + variance*scale * grad log p(label | ${at === "x" ? "x; sigma" : "mean; next sigma"}), of each step`
      : undefined,
  needs:
    "a label, and a classifier trained on noised samples; form=mean-shift: the sampler ddpm or another with noise",
  cost: "1 gradient of the classifier",
  adds: { networks: 0, gradients: 1 },
  when: "A label for a network that was trained without; else CFG is better. form=mean-shift repeats ADM's sampling by DDPM.",
  published: "0.5 to 1 on class-conditional networks, 10 on unconditional ones (ADM, ImageNet 256)",
  source: "Dhariwal & Nichol 2021, arXiv:2105.05233",
  space: "any",
  strength: "scale",
  off: 0,
  options: {
    scale: scaleOption("the paper's s: 0 is off, 1 is Bayes' rule on the unconditional prediction", 1),
    interval: intervalOption,
    base: baseOption,
    form: {
      meaning:
        "what moves: the prediction (Algorithm 2, any sampler), or the mean of the step by the variance of its noise (Algorithm 1)",
      unit: "one of score, mean-shift",
      default: "score" as const,
      values: choice("score", "mean-shift"),
    },
    at: {
      meaning:
        "where a mean shift takes the gradient: at the step's mean and the next sigma (the paper), or at x and sigma (the authors' program)",
      unit: "one of mean, x",
      default: "mean" as const,
      only: ["form", ["mean-shift"]],
      values: choice("mean", "x"),
    },
  },
  make: ({ scale, ...options }, resources) =>
    classifierGuidance({ ...options, scale: scaleOf(scale), classifier: classifierOf(resources) }),
});

function classifierOf<C>({ classifier }: GuidanceResources<C>): NoiseAwareClassifier<C> {
  if (classifier !== undefined) return classifier;
  throw new UsageError(
    "classifier guidance needs a classifier trained on noised samples; this model has none. Train one, or use cfg",
  );
}
