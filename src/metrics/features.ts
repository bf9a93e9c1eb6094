/** What all metrics share: how features come in, and what every measured value says about itself. */
import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";

/** How many samples were measured, and against how many reference samples (0: the metric has no reference). */
export interface Counts {
  readonly samples: number;
  readonly reference: number;
}

/** Every result carries what was measured, on which features, and over how many samples: a bare number means nothing. */
export interface Measured {
  /** The metric's full name, for example "Fréchet distance (fashion-mnist classifier)". */
  readonly metric: string;
  /** The network, or the kind of coordinates, that the features are. Values of two extractors cannot be compared. */
  readonly extractor: string;
  readonly n: Counts;
}

export interface ExtractorOption {
  /** Name of what made the features. It becomes part of the metric's name. */
  readonly extractor: string;
}

/** Features in float64: `data` is row-major [n, d]. */
export interface Matrix {
  readonly data: Float64Array;
  readonly n: number;
  readonly d: number;
}

/** The fields of `Measured` for one metric. Throws UsageError if the extractor has no name. */
export function measured(metric: string, extractor: string, samples: number, reference: number): Measured {
  if (typeof extractor !== "string" || extractor.trim() === "") {
    throw new UsageError(`${metric} needs the name of its feature extractor: pass { extractor: "..." }`);
  }
  return { metric: `${metric} (${extractor})`, extractor, n: { samples, reference } };
}

/**
 * `features` as a float64 matrix; a Float64Array is used as it is, not copied.
 * Throws UsageError unless it is [n, d] with n >= least, d >= 1 and finite values; `what` names it in the message.
 */
export function matrix(features: Tensor, what: string, least: number): Matrix {
  const { data, shape } = features;
  if (shape.length !== 2 || shape[1] < 1) {
    throw new UsageError(
      `${what} must be [n, d], one sample a row, got shape [${shape.join(", ")}]: flatten each sample first`,
    );
  }
  const [n, d] = shape;
  if (n < least) {
    throw new UsageError(`${what}: at least ${least} samples are needed, got ${n}: draw more samples`);
  }
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) {
      throw new UsageError(
        `${what}: row ${Math.floor(i / d)} holds ${data[i]}, and metrics need finite values: leave such samples out and report how many`,
      );
    }
  }
  return { data: data instanceof Float64Array ? data : Float64Array.from(data), n, d };
}

/** Both sets as matrices of one width. Throws UsageError as `matrix` does, or if their widths differ. */
export function matrices(samples: Tensor, reference: Tensor, least: number): { x: Matrix; y: Matrix } {
  const x = matrix(samples, "samples", least);
  const y = matrix(reference, "reference", least);
  if (x.d !== y.d) {
    throw new UsageError(
      `samples have ${x.d} features and the reference has ${y.d}: compute both with the same extractor`,
    );
  }
  return { x, y };
}
