import type { Tensor } from "../base/tensor.ts";
import { scale } from "../base/tensor.ts";
import { type Parameterisation, fromX0, toX0, variancePreserving } from "../diffusion/parameterisation.ts";

/** What a prediction can be of, for methods to which it matters. Inside, all are of x0. */
export type Space = Exclude<Parameterisation, "score">;

/** Predictions of x0 turned into another space, and back. */
export interface Conversion {
  to(x0: Tensor): Tensor;
  from(prediction: Tensor): Tensor;
}

/** Conversions at (x, sigma), x = x0 + sigma * noise, sigma above 0. v is that of the variance-preserving form of x. */
export function convertAt(space: Space, x: Tensor, sigma: number): Conversion {
  if (space === "x0") return { to: (d) => d, from: (d) => d };
  const level = variancePreserving(sigma);
  const scaled = scale(level.alpha, x);
  return {
    to: (d) => fromX0(space, d, scaled, level),
    from: (p) => toX0(space, p, scaled, level),
  };
}
