import type { Stream } from "../base/philox.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Branch, Denoiser, Labels } from "../diffusion/denoiser.ts";
import type { EmbeddingNoise } from "../diffusion/embeddingNoise.ts";

/** A classifier of noised samples. */
export interface NoiseAwareClassifier<C = Labels> {
  /**
   * Gradient of log p(y|x; sigma) with respect to x, of x's shape [batch, ...dims]. Rows are independent of one
   * another; a row without a label (-1) has gradient 0.
   */
  logProbabilityGradient(x: Tensor, sigma: number, labels: C): Promise<Tensor>;
}

/** A network of square images, for other sides. */
export interface Resized<C = Labels> {
  /** Of the images that are guided, in pixels. */
  readonly side: number;
  /** Sides that the network takes are multiples of it. */
  readonly multiple: number;
  to(side: number): Denoiser<C>;
}

/** A classifier of clean samples. */
export interface CleanClassifier<C = Labels> {
  /** Gradient of log p(y|x0) with respect to x0, of its shape; 0 in rows without a label (-1). Rows are independent. */
  logProbabilityGradient(x0: Tensor, labels: C): Promise<Tensor>;
}

/** A differentiable score of clean samples: the greater, the better. */
export interface Score {
  /** Gradient of each row's score with respect to x0, of its shape. Rows are independent. */
  gradient(x0: Tensor): Promise<Tensor>;
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
  readonly cleanClassifier?: CleanClassifier<C>;
  /** Scores by name, as the option `model` of the method `score` says it (see `scoreName`). */
  readonly scores?: Readonly<Record<string, Score>>;
  /** Whether the network has self-attention; or its layers' names, in execution order. Default: false. */
  readonly attention?: boolean | readonly string[];
  /**
   * The condition of a name for so many rows, for negative conditions. Throws a UsageError that lists the names. Absent: conditions
   * have no names.
   */
  readonly conditionNamed?: (name: string, rows: number) => C;
  /** A condition for each row, drawn from the row's stream without looking at anything else. Absent: none can be drawn. */
  readonly randomCondition?: (rows: readonly Stream[]) => C;
  /** The branch with noise on its condition (see conditions.ts). Absent: the condition has no embedding. */
  readonly noisyCondition?: (branch: Branch<C>, noise: EmbeddingNoise) => Branch<C>;
  /** Whether the network makes an embedding of the noise level that noise can be put on. Default: false. */
  readonly levelEmbedding?: boolean;
  /** The guided network for square images of other sides. Absent: its size is fixed. */
  readonly resized?: Resized<C>;
}
