import type { Tensor } from "../base/tensor.ts";
import { axpby } from "../base/tensor.ts";

/** What a prediction can be of. Inside, all are of x0. */
export type Space = "x0" | "eps" | "v" | "velocity";

/** Predictions of x0 turned into another space, and back. */
export interface Conversion {
  to(x0: Tensor): Tensor;
  from(prediction: Tensor): Tensor;
}

/**
 * With alpha = 1/sqrt(1 + sigma^2) (variance preserving: alpha x has signal alpha and noise alpha*sigma):
 *
 *   eps      = (x - D)/sigma
 *   v        = alpha*eps - alpha*sigma*D = alpha*(x/sigma - D*(1/sigma + sigma))
 *   velocity = eps - D = x/sigma - D*(1/sigma + 1)
 *
 * All are affine in D. sigma above 0.
 */
export function convertAt(space: Space, x: Tensor, sigma: number): Conversion {
  if (space === "x0") return { to: (d) => d, from: (d) => d };
  const [ofX, ofD] = coefficients(space, sigma);
  return {
    to: (d) => axpby(ofX, x, ofD, d),
    from: (p) => axpby(1 / ofD, p, -ofX / ofD, x),
  };
}

/** prediction = ofX * x + ofD * D */
function coefficients(space: Exclude<Space, "x0">, sigma: number): readonly [number, number] {
  const alpha = 1 / Math.sqrt(1 + sigma * sigma);
  switch (space) {
    case "eps":
      return [1 / sigma, -1 / sigma];
    case "v":
      return [alpha / sigma, -alpha * (1 / sigma + sigma)];
    case "velocity":
      return [1 / sigma, -(1 / sigma + 1)];
  }
}
