import type { Tensor } from "../base/tensor.ts";
import type { Denoiser, Labels } from "../diffusion/denoiser.ts";

/** A classifier of noised samples. */
export interface NoiseAwareClassifier<C = Labels> {
  /**
   * Gradient of log p(y|x; sigma) with respect to x, of x's shape [batch, ...dims]. Rows are independent of one
   * another; a row without a label (-1) has gradient 0.
   */
  logProbabilityGradient(x: Tensor, sigma: number, labels: C): Promise<Tensor>;
}

/** What a model offers to guidance, beside the network that is guided. */
export interface GuidanceResources<C = Labels> {
  /** Whether the guided network takes a condition at all. */
  readonly conditional: boolean;
  /** Whether a conditional network also predicts without one (trained with condition dropout); default: true. */
  readonly nullCondition?: boolean;
  /** A separate unconditional network; preferred over the null condition. */
  readonly unconditional?: Denoiser<C>;
  /** Worse networks by name; the first is the default. */
  readonly guides?: Readonly<Record<string, Denoiser<C>>>;
  readonly classifier?: NoiseAwareClassifier<C>;
  /** Whether the network has self-attention; or its layers' names, in execution order. Default: false. */
  readonly attention?: boolean | readonly string[];
}
