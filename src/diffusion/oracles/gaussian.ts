import type { Tensor } from "../../base/tensor.ts";
import { sameKind } from "../../base/tensor.ts";
import { component, fromAxes, toAxes } from "./component.ts";
import type { GaussianSpec } from "./component.ts";
import { checkPoints, mixtureOf } from "./mixture.ts";
import type { Mixture } from "./mixture.ts";

/** A Gaussian as an exact oracle: a mixture of one component whose sampling paths are known too. */
export interface Gaussian extends Mixture {
  /**
   * Where the probability-flow ODE dx/dsigma = (x - D) / sigma carries x from noise level `from` to noise level `to` (0 or more):
   * along each axis of variance v, m + (x - m) sqrt((v + to^2) / (v + from^2)).
   */
  path(x: Tensor, from: number, to: number): Tensor;
}

/**
 * The exact oracle of N(mean, covariance), covariance given or std^2 on the diagonal. In one dimension with v = std^2
 *   D(x; sigma) = (v x + sigma^2 mean) / (v + sigma^2)
 * Throws UsageError where std or covariance do not fit the mean.
 */
export function gaussian(spec: GaussianSpec): Gaussian {
  const only = component(spec);
  const d = only.mean.length;
  return {
    ...mixtureOf([1], [only]),
    path(x, from, to) {
      checkPoints(x, d);
      const data = sameKind(x.data, x.data.length);
      const offset = new Float64Array(d);
      const along = new Float64Array(d);
      for (let row = 0; row < x.shape[0]; row++) {
        for (let i = 0; i < d; i++) offset[i] = x.data[row * d + i] - only.mean[i];
        toAxes(only, offset, along);
        for (let j = 0; j < d; j++)
          along[j] *= Math.sqrt((only.variances[j] + to * to) / (only.variances[j] + from * from));
        fromAxes(only, along, offset);
        for (let i = 0; i < d; i++) data[row * d + i] = only.mean[i] + offset[i];
      }
      return { data, shape: x.shape };
    },
  };
}
