import type { Tensor } from "../base/tensor.ts";
import { type Branch, type Denoiser, sameBranch } from "../diffusion/denoiser.ts";

/** A prediction that guidance wants: which denoiser, asked how. */
export interface Wanted<C> {
  readonly from: Denoiser<C>;
  readonly branch: Branch<C>;
}

export interface Answers {
  /** One prediction of x0 per wanted one, in the same order. */
  readonly predictions: readonly Tensor[];
  /** Distinct predictions that were computed: network evaluations per sample. */
  readonly evaluations: number;
}

/**
 * The wanted predictions at (x, sigma). Each denoiser is called once, with each distinct branch once, so that it can
 * batch or merge them; denoisers run one after the other, because each already uses every thread.
 */
export async function ask<C>(wanted: readonly Wanted<C>[], x: Tensor, sigma: number): Promise<Answers> {
  const predictions = new Array<Tensor>(wanted.length);
  let evaluations = 0;
  for (const from of new Set(wanted.map((one) => one.from))) {
    const branches: Branch<C>[] = [];
    for (const one of wanted) {
      if (one.from === from && indexOfBranch(branches, one.branch) < 0) branches.push(one.branch);
    }

    const denoised = await from.denoise(x, sigma, branches);
    evaluations += branches.length;

    wanted.forEach((one, i) => {
      if (one.from === from) predictions[i] = denoised[indexOfBranch(branches, one.branch)];
    });
  }
  return { predictions, evaluations };
}

/** True if both are the same prediction: the same denoiser asked in the same way. */
export function sameWanted<C>(a: Wanted<C>, b: Wanted<C>): boolean {
  return a.from === b.from && sameBranch(a.branch, b.branch);
}

function indexOfBranch<C>(branches: readonly Branch<C>[], branch: Branch<C>): number {
  return branches.findIndex((other) => sameBranch(other, branch));
}
