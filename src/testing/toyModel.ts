import type { Tensor } from "../base/tensor.ts";
import { map, rowSize } from "../base/tensor.ts";
import type { Branch, Denoiser, Labels } from "../diffusion/denoiser.ts";
import { noisyEmbedding } from "../diffusion/embeddingNoise.ts";
import type { NoiseAwareClassifier } from "../guidance/resources.ts";

/** The toy's null condition, alone or in a row of labels. */
const none = -1;

/**
 * A model in closed form: every class c is a Gaussian of mean c + 1 in each of two dimensions, the null condition one of
 * mean 0. `std` is the spread; a perturbed network sees 1.5 times that. The means are the condition's embedding, and ln sigma
 * alone is that of the noise level.
 */
export function toyDenoiser(std: number): Denoiser {
  return {
    shape: [2],
    denoise: (x, sigma, branches) =>
      Promise.resolve(branches.map((branch) => toyPrediction(std, x, sigma, branch))),
  };
}

function toyPrediction(std: number, x: Tensor, sigma: number, branch: Branch<Labels>): Tensor {
  const variance = (branch.perturbation === undefined ? std : 1.5 * std) ** 2;
  const size = rowSize(x);
  const means = Array.from({ length: x.shape[0] }, (_, row) => toyMeans(branch, row, size));
  return map((value, i) => {
    const row = Math.floor(i / size);
    const level = toyLevel(branch, row, sigma) ** 2;
    return (variance * value + level * means[row][i % size]) / (variance + level);
  }, x);
}

function toyMeans(
  { condition, conditionNoise }: Branch<Labels>,
  row: number,
  size: number,
): ArrayLike<number> {
  const label = condition?.[row] ?? none;
  const means = new Array<number>(size).fill(label + 1);
  return conditionNoise && label !== none ? noisyEmbedding(means, conditionNoise, row) : means;
}

function toyLevel({ told, levelNoise }: Branch<Labels>, row: number, sigma: number): number {
  const level = told?.[row] ?? sigma;
  return levelNoise ? Math.exp(noisyEmbedding([Math.log(level)], levelNoise, row)[0]) : level;
}

/** The gradient of log N(x; c + 1, std^2 + sigma^2) - log N(x; 0, std^2 + sigma^2): the exact classifier of the toy. */
export function toyClassifier(std: number): NoiseAwareClassifier {
  return {
    logProbabilityGradient(x, sigma, labels) {
      const size = rowSize(x);
      const mean = (i: number): number => labels[Math.floor(i / size)] + 1;
      return Promise.resolve(map((_, i) => mean(i) / (std ** 2 + sigma ** 2), x));
    },
  };
}
