import type { Tensor } from "../base/tensor.ts";
import { type Branch, type Denoiser, type Labels, sameBranch } from "../diffusion/denoiser.ts";
import type { GuidanceResources } from "./resources.ts";

/**
 * The same denoiser, which computes a prediction once for each tensor x (by identity) and way of asking, and keeps it while x lives.
 * For asking again and again at the same points.
 */
export function remembering<C>(denoiser: Denoiser<C>): Denoiser<C> {
  const known = new WeakMap<Tensor["data"], { sigma: number; branch: Branch<C>; denoised: Tensor }[]>();
  return {
    ...denoiser,
    async denoise(x, sigma, branches) {
      const here = known.get(x.data) ?? [];
      known.set(x.data, here);
      const find = (branch: Branch<C>) =>
        here.find((one) => one.sigma === sigma && sameBranch(one.branch, branch));
      const missing = branches.filter((branch) => !find(branch));
      if (missing.length > 0) {
        const made = await denoiser.denoise(x, sigma, missing);
        missing.forEach((branch, i) => here.push({ sigma, branch, denoised: made[i] }));
      }
      return branches.map((branch) => find(branch)!.denoised);
    },
  };
}

/** What a model offers, each network and the classifier remembering what it gave. */
export function rememberingResources(resources: GuidanceResources): GuidanceResources {
  const { unconditional, guides, classifier } = resources;
  const gradients = new WeakMap<Tensor["data"], Promise<Tensor>>();
  return {
    ...resources,
    ...(unconditional && { unconditional: remembering(unconditional) }),
    ...(guides && {
      guides: Object.fromEntries(
        Object.entries(guides).map(([name, guide]) => [name, remembering<Labels>(guide)]),
      ),
    }),
    ...(classifier && {
      classifier: {
        logProbabilityGradient(x, sigma, labels) {
          const made = gradients.get(x.data) ?? classifier.logProbabilityGradient(x, sigma, labels);
          gradients.set(x.data, made);
          return made;
        },
      },
    }),
  };
}
