import type { Tensor } from "../base/tensor.ts";
import type { Labels } from "../diffusion/denoiser.ts";
import type { EvaluationCount } from "../guidance/guide.ts";

/** What is held equal across the methods of a comparison. */
export type MatchBy = "evaluations" | "effective-weight";

/** How a comparison was made on equal terms. */
export interface Matching {
  readonly by: MatchBy;
  /** Evaluations a sample, or the effective weight, that each method was to have. */
  readonly wanted: number;
  /** Whose it was: the guidance that the others follow; null: it was given as a number. */
  readonly reference: string | null;
  /** Effective weights: the samples over whose ways they were measured. */
  readonly samples?: number;
}

/** How one method was brought to equal terms. */
export interface Matched {
  /** The guidance that was asked for, before its strength was changed. */
  readonly asked: string;
  /** Steps it was sampled with, and their noise levels. */
  readonly steps: number;
  readonly sigmas: readonly number[];
  /** What it has of what was wanted: evaluations a sample as counted, or its effective weight. */
  readonly got: number;
}

/** What one way of guiding gave, or why it could not be used. */
export interface MethodResult {
  /** Canonical text of the guidance. */
  readonly guidance: string;
  /** Why the model cannot take it; then nothing below is there. */
  readonly skipped?: string;
  /** In a comparison on equal terms: what was changed for it. Absent: nothing was. */
  readonly matched?: Matched;
  /** Number of samples measured. */
  readonly n?: number;
  /** Per sample. */
  readonly evaluations?: EvaluationCount;
  /** Wall time of sampling all n. */
  readonly seconds?: number;
  /** Measured on these n samples. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** The samples that are shown. */
  readonly x?: Tensor;
  readonly labels?: Labels | null;
  /** 2-D: the ways of the first samples, one tensor a step. */
  readonly trajectories?: readonly Tensor[];
  /** 2-D: which samples are outliers. */
  readonly outliers?: readonly boolean[];
}

export interface ModelComparison {
  readonly model: string;
  readonly description: string;
  readonly kind: "plane" | "image";
  readonly sampler: string;
  /** How the noise levels are spaced: a name in `schedules`, with options. */
  readonly schedule: string;
  readonly steps: number;
  readonly sigmas: readonly number[];
  readonly seeds: readonly number[];
  /** What the label option was: null for unconditional, "classes" for classes in turn, else the class. */
  readonly label: string | number | null;
  readonly classes: readonly string[];
  /** What the metrics were measured with: an extractor's name, "coordinates", or null. */
  readonly extractor: string | null;
  /** What the samples were compared with, in words. */
  readonly reference: string | null;
  /** What was held equal, and at what; absent: nothing. */
  readonly matching?: Matching;
  readonly methods: readonly MethodResult[];
  /** 2-D: the exact score and the main network's, at one noise level. */
  readonly scores?: ScoreField;
  /** 2-D: the true log density, for pictures. */
  readonly logDensity?: (points: Tensor) => Float64Array;
  /** Rows of results that came with the model: measured before, with many samples. */
  readonly card: readonly CardRow[];
}

/** Scores on a grid of points. All tensors are [n, 2]. */
export interface ScoreField {
  readonly sigma: number;
  readonly points: Tensor;
  readonly exact: Tensor;
  readonly network: Tensor;
}

/** A result measured before and shipped with the model. */
export interface CardRow {
  readonly guidance: string;
  readonly label: string | null;
  readonly samples: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly command: string;
}

export interface Comparison {
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly models: readonly ModelComparison[];
}
