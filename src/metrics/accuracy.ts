import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import type { ExtractorOption, Measured } from "./features.ts";
import { matrix, measured } from "./features.ts";

export interface ClassAccuracy extends Measured {
  /** Share of rows whose largest logit is their label's. */
  readonly value: number;
  /** The share within each class; null for a class that no label names. */
  readonly perClass: readonly (number | null)[];
}

/**
 * How often a classifier gives samples the class they were made for. logits is [n, classes], labels are 0 to classes - 1;
 * of equal largest logits the first counts. `extractor` is the classifier's name.
 * Throws UsageError if there are no rows, another number of labels, a label out of range, or logits that are not finite.
 */
export function classAccuracy(
  logits: Tensor,
  labels: ArrayLike<number>,
  options: ExtractorOption,
): ClassAccuracy {
  const { data, n, d: classes } = matrix(logits, "logits", 1);
  if (labels.length !== n) throw new UsageError(`${n} rows of logits need ${n} labels, got ${labels.length}`);
  const right = new Float64Array(classes);
  const counts = new Float64Array(classes);
  for (let i = 0; i < n; i++) {
    const label = labels[i];
    if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
      throw new UsageError(`label ${label} of row ${i} is not a class: use 0 to ${classes - 1}`);
    }
    const row = data.subarray(i * classes, (i + 1) * classes);
    const predicted = row.reduce((best, value, c) => (value > row[best] ? c : best), 0);
    counts[label]++;
    if (predicted === label) right[label]++;
  }
  return {
    ...measured("class accuracy", options.extractor, n, 0),
    value: right.reduce((a, b) => a + b, 0) / n,
    perClass: Array.from(counts, (count, c) => (count > 0 ? right[c] / count : null)),
  };
}
