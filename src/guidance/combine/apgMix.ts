import type { Combine } from "../guidance.ts";
import { combineMethod, numberOption } from "../method.ts";
import { wholeNumber } from "../values.ts";
import { type ApgOptions, apg, apgOptions } from "./apg.ts";
import { extrapolate } from "./extrapolate.ts";

export interface ApgMixOptions extends ApgOptions {
  /** Steps up to and with this one extrapolate, later ones project. */
  readonly start: number;
  /** Weight of the steps that extrapolate. 1 is off. */
  readonly early: number;
}

/**
 * CFG in the first steps, then adaptive projected guidance:
 *
 *   step <= start    D = weak + early*(strong - weak)
 *   step >  start    D as `apg` has it
 *
 * The running difference is fed from the first step on. Source: HunyuanImage 2.1.
 */
export function apgMix({ start, early, ...options }: ApgMixOptions): Combine {
  const projected = apg(options);
  return {
    ...projected,
    method: "apg-mix",
    combine(pair, before) {
      const { denoised, state } = projected.combine(pair, before);
      if (pair.step > start) return { denoised, state };
      return { denoised: extrapolate(pair.strong, [{ weight: early, denoised: pair.weak }]), state };
    },
  };
}

export const apgMixMethod = combineMethod({
  name: "apg-mix",
  role: "combine",
  summary: "CFG in the first steps, adaptive projected guidance in the later ones.",
  formula: "step <= start: D = weak + early*(strong - weak); later: as apg",
  needs: "what the weak method needs",
  cost: "nothing beside the weak method",
  adds: { networks: 0, gradients: 0 },
  when: "Where projecting from the first step loses the layout of the picture.",
  published: "early 3.5, weight 10, cap 10, momentum -0.5, eta 0, start 5 (HunyuanImage 2.1)",
  source: "HunyuanImage 2.1",
  space: "x0",
  strength: "weight",
  off: 1,
  options: {
    ...apgOptions,
    start: {
      meaning: "the last step that extrapolates, from 0",
      unit: "steps",
      default: 5,
      values: wholeNumber,
    },
    early: numberOption("weight of the steps that extrapolate: 1 is off", 3.5),
  },
  make: ({ cap, ...options }) => apgMix({ ...options, cap: cap > 0 ? cap : Infinity }),
});
