import { logGamma } from "../base/betaDistribution.ts";
import type { Weight, WeightSchedule } from "./weight.ts";

/**
 * A weight that depends on the noise level or the sample, as plain data. With tau = 1 - (2/pi) atan(sigma), the time that is
 * left of the cosine schedule turned round: 0 in pure noise, 1 without noise, whatever the sampler's steps. What is
 * above off (weight - 1) is multiplied by a shape of mean 1 over tau:
 *
 *   linear  2 tau            cosine  1 - cos(pi tau)            beta  the density of Beta(a, b) at tau
 *
 * Sources: Wang et al. 2024 (arXiv:2404.13040) for linear and cosine, arXiv:2502.10574 for beta; both in the model's own time.
 */
export type WeightSpec =
  | number
  | { readonly kind: "linear" | "cosine"; readonly weight: number }
  | { readonly kind: "beta"; readonly weight: number; readonly a: number; readonly b: number }
  /** One weight a step of the sampler; the last one goes on. */
  | { readonly kind: "steps"; readonly weights: readonly number[] }
  /** One weight a sample of the batch. */
  | { readonly kind: "rows"; readonly weights: readonly number[] };

/** The time t of the cosine schedule at a noise level: 0 without noise, 1 in pure noise. */
export const timeOf = (sigma: number): number => (2 / Math.PI) * Math.atan(sigma);

/** tau of a noise level: see WeightSpec. */
export const timeLeft = (sigma: number): number => 1 - timeOf(sigma);

/** The weight that a spec describes; `off` is the spec's value that is off (0 for scales), which becomes 1. */
export const weightOf = (spec: WeightSpec, off = 1): Weight => strengthOf(spec, off, 1);

/** The scale that a spec describes: 0 is off, there and here. */
export const scaleOf = (spec: WeightSpec): Weight => strengthOf(spec, 0, 0);

/** The strength that a spec describes, where `off` becomes `becomes`. */
function strengthOf(spec: WeightSpec, off: number, becomes: number): Weight {
  const shift = becomes - off;
  if (typeof spec === "number") return spec + shift;
  const shaped = (weight: number, shape: (tau: number) => number): WeightSchedule => ({
    at: (sigma) => becomes + (weight - off) * shape(timeLeft(sigma)),
  });
  switch (spec.kind) {
    case "rows":
      return spec.weights.map((weight) => weight + shift);
    case "steps":
      return { at: (_, step) => spec.weights[Math.min(step, spec.weights.length - 1)] + shift };
    case "linear":
      return shaped(spec.weight, (tau) => 2 * tau);
    case "cosine":
      return shaped(spec.weight, (tau) => 1 - Math.cos(Math.PI * tau));
    case "beta":
      return shaped(spec.weight, betaDensity(spec.a, spec.b));
  }
}

/** Density of Beta(a, b) for a, b >= 1. */
function betaDensity(a: number, b: number): (tau: number) => number {
  const norm = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b));
  return (tau) => norm * tau ** (a - 1) * (1 - tau) ** (b - 1);
}
