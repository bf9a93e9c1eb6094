import type { Combine } from "../guidance.ts";
import { combineMethod } from "../method.ts";
import { extrapolate } from "./extrapolate.ts";

/**
 * CFG++: the prediction is an interpolation, and the sampler puts the weak prediction's noise back.
 *
 *   D = weak + lambda*(strong - weak), lambda in [0, 1];     x' = D + sigma'/sigma * (x - weak)
 *
 * It acts at every lambda: at 1 it predicts by the strong network and still renoises by the weak one. Step by step it is
 * CFG of weight lambda * sigma/(sigma - sigma'). Needs a sampler that renoises (euler, ddim, euler-ancestral).
 * Source: Chung et al. 2024 (arXiv:2406.08070), Algorithm 2.
 */
export function cfgPlusPlus(): Combine {
  return {
    method: "cfgpp",
    offAtOne: false,
    renoises: true,
    combine: ({ strong, weak, weight }, state) => ({
      denoised: { ...extrapolate(strong, [{ weight, denoised: weak }]), renoise: weak },
      state,
    }),
  };
}

export const cfgPlusPlusMethod = combineMethod({
  name: "cfgpp",
  role: "combine",
  summary: "CFG++ interpolates between the predictions and lets the sampler put the weak one's noise back.",
  formula: "D = weak + weight*(strong - weak), weight from 0 to 1; x' = D + sigma'/sigma*(x - weak)",
  needs: "what the weak method needs, and a sampler that renoises: euler, ddim, euler-ancestral",
  cost: "nothing beside the weak method",
  adds: { networks: 0, gradients: 0 },
  when: "Few steps and latents that a large weight would throw off the data.",
  published: "0.2 / 0.4 / 0.6 / 0.8 / 1.0 where CFG takes 2 / 5 / 7.5 / 9 / 12.5",
  source: "Chung et al. 2024, arXiv:2406.08070",
  space: "any",
  strength: "weight",
  off: null,
  example: { spec: "cfgpp:0.6", beside: "cfg:2" },
  options: {},
  make: cfgPlusPlus,
});
