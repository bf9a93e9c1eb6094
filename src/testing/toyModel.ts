import type { Tensor } from "../base/tensor.ts";
import { map, rowSize } from "../base/tensor.ts";
import type { Branch, Denoiser, Labels } from "../diffusion/denoiser.ts";
import type { NoiseAwareClassifier } from "../guidance/resources.ts";

/** The toy's null condition, alone or in a row of labels. */
const none = -1;

/**
 * A model in closed form: every class c is a Gaussian of mean c + 1 in each of two dimensions, the null condition one of
 * mean 0. `std` is the spread; a perturbed network sees 1.5 times that.
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
  return map((value, i) => {
    const label = branch.condition?.[Math.floor(i / size)] ?? none;
    return (variance * value + sigma ** 2 * (label + 1)) / (variance + sigma ** 2);
  }, x);
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
