import { UsageError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { Labels } from "../../diffusion/denoiser.ts";
import type { Base, Push } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";

/** A classifier of noised samples. */
export interface NoiseAwareClassifier<C = Labels> {
  /**
   * Gradient of log p(y|x; sigma) with respect to x, of x's shape [batch, ...dims]. Rows are independent of one
   * another; a row without a label (-1) has gradient 0.
   */
  logProbabilityGradient(x: Tensor, sigma: number, labels: C): Promise<Tensor>;
}

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
