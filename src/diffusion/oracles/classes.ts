import { UsageError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import { concatRows, rows, sameKind } from "../../base/tensor.ts";
import type { Branch, Denoiser, Labels } from "../denoiser.ts";
import { checkPoints, denoiseRow, joinMixtures, normalise } from "./mixture.ts";
import type { Mixture } from "./mixture.ts";

/**
 * The exact class-conditional denoiser of data whose class y has the prior priors[y] (default: equal) and the law classes[y].
 *
 * A row with label y >= 0 gets E[x0 | x, y]; label -1, or condition null, gets E[x0 | x] over all classes; a row that is told
 * another noise level gets the expectation at that one. Throws UsageError on a label that is not a class, on a number of labels
 * that is not the batch, on a perturbation (an oracle has no attention) and on noise on an embedding (it has none).
 */
export function mixtureDenoiser(classes: readonly Mixture[], priors?: ArrayLike<number>): Denoiser<Labels> {
  const all = joinMixtures(classes, priors);
  const d = all.dimensions;

  function predict(x: Tensor, sigma: number, branch: Branch<Labels>): Tensor {
    const labels = checkBranch(branch, x.shape[0]);
    const data = sameKind(x.data, x.data.length);
    const out = new Float64Array(d);
    for (let row = 0; row < x.shape[0]; row++) {
      const label = labels === null ? -1 : labels[row];
      denoiseRow(label === -1 ? all : classes[label], x, row, branch.told?.[row] ?? sigma, out);
      data.set(out, row * d);
    }
    return { data, shape: x.shape };
  }

  /** The branch's labels, or null. */
  function checkBranch(branch: Branch<Labels>, batch: number): Labels | null {
    const { condition, perturbation, conditionNoise, levelNoise } = branch;
    if (perturbation)
      throw new UsageError("an exact oracle has no attention to perturb; ask a trained network");
    if (conditionNoise ?? levelNoise)
      throw new UsageError("an exact oracle has no embedding to put noise on; ask a trained network");
    if (condition !== null) checkLabels(condition, batch, classes.length, -1);
    return condition;
  }

  return {
    shape: [d],
    denoise: (x, sigma, branches) =>
      new Promise((resolve) => {
        checkPoints(x, d);
        resolve(branches.map((branch) => predict(x, sigma, branch)));
      }),
    vjp: (x, sigma, branch, cotangent) =>
      new Promise((resolve) => {
        for (const given of [x, cotangent]) checkPoints(given, d);
        const labels = checkBranch(branch, x.shape[0]);
        const pulled = Array.from({ length: x.shape[0] }, (_, row) => {
          const law = labels === null || labels[row] === -1 ? all : classes[labels[row]];
          const level = branch.told?.[row] ?? sigma;
          return law.pullback(rows(x, row, row + 1), level, rows(cotangent, row, row + 1));
        });
        resolve({ denoised: predict(x, sigma, branch), gradient: concatRows(pulled) });
      }),
  };
}

/** The exact (Bayes) classifier of noisy points, and its gradient. x is [n, d]; one label 0..classes-1 per row. */
export interface MixtureClassifier {
  /** log p(y | x; sigma) of every class, [n, classes]. */
  logProbabilities(x: Tensor, sigma: number): Tensor;
  /** log p(labels[i] | x_i; sigma), [n]. */
  logProbability(x: Tensor, sigma: number, labels: Labels): Float64Array;
  /** Gradient of log p(labels[i] | x_i; sigma) with respect to x_i, [n, d]. */
  gradient(x: Tensor, sigma: number, labels: Labels): Tensor;
}

/**
 * Bayes' rule over classes with priors[y] (default: equal) and laws classes[y]:
 *   log p(y | x; sigma) = log prior_y + log p(x | y; sigma) - log sum_z prior_z p(x | z; sigma)
 *   gradient = score_y - sum_z p(z | x; sigma) score_z
 * Both throw UsageError on a label that is not a class and on a number of labels that is not the batch.
 */
export function mixtureClassifier(
  classes: readonly Mixture[],
  priors?: ArrayLike<number>,
): MixtureClassifier {
  const count = classes.length;
  const prior = normalise(priors ?? classes.map(() => 1));
  const d = joinMixtures(classes, prior).dimensions;

  /** Log joint density of every class at one row, normalised to log probabilities; each class's kernel holds its score. */
  function evaluate(x: Tensor, row: number, sigma: number, out: Float64Array): void {
    for (let y = 0; y < count; y++) {
      classes[y].kernel.evaluate(x.data, row * d, sigma);
      out[y] = Math.log(prior[y]) + classes[y].kernel.logDensity;
    }
    const max = Math.max(...out);
    const log = max + Math.log(out.reduce((sum, value) => sum + Math.exp(value - max), 0));
    for (let y = 0; y < count; y++) out[y] -= log;
  }

  function logProbabilities(x: Tensor, sigma: number): Tensor {
    checkPoints(x, d);
    const data = sameKind(x.data, x.shape[0] * count);
    const row = new Float64Array(count);
    for (let i = 0; i < x.shape[0]; i++) {
      evaluate(x, i, sigma, row);
      data.set(row, i * count);
    }
    return { data, shape: [x.shape[0], count] };
  }

  return {
    logProbabilities,
    logProbability(x, sigma, labels) {
      checkLabels(labels, x.shape[0], count, 0);
      const { data } = logProbabilities(x, sigma);
      return Float64Array.from(labels, (label, i) => data[i * count + label]);
    },
    gradient(x, sigma, labels) {
      checkPoints(x, d);
      checkLabels(labels, x.shape[0], count, 0);
      const data = sameKind(x.data, x.data.length);
      const logs = new Float64Array(count);
      const gradient = new Float64Array(d);
      for (let i = 0; i < x.shape[0]; i++) {
        evaluate(x, i, sigma, logs);
        gradient.set(classes[labels[i]].kernel.score);
        for (let y = 0; y < count; y++) {
          for (let j = 0; j < d; j++) gradient[j] -= Math.exp(logs[y]) * classes[y].kernel.score[j];
        }
        data.set(gradient, i * d);
      }
      return { data, shape: x.shape };
    },
  };
}

function checkLabels(labels: Labels, batch: number, classes: number, least: number): void {
  if (labels.length !== batch)
    throw new UsageError(`a batch of ${batch} takes ${batch} labels, got ${labels.length}`);
  for (const label of labels) {
    if (!Number.isInteger(label) || label < least || label >= classes) {
      throw new UsageError(`a label is a whole number from ${least} to ${classes - 1}, got ${label}`);
    }
  }
}
