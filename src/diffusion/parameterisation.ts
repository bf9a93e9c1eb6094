import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import { axpby } from "../base/tensor.ts";

/**
 * What a network can be asked to predict, for x = alpha * x0 + sigma * noise:
 *   eps = (x - alpha * x0) / sigma           the noise
 *   x0                                       the clean data
 *   v = alpha * eps - sigma * x0             (Salimans & Ho 2022, arXiv:2202.00512)
 *   score = (alpha * x0 - x) / sigma^2       the gradient of the log density of x
 *   velocity = eps - x0                      dx/dt of the straight path x = (1 - t) x0 + t noise
 * Each is affine in (x, x0) with the same coefficients for every element, so that linear guidance is the same in all of them.
 */
export type Parameterisation = "eps" | "x0" | "v" | "score" | "velocity";

/** The two coefficients of x = alpha * x0 + sigma * noise. sigma > 0. */
export interface Level {
  readonly alpha: number;
  readonly sigma: number;
}

/** Fairlead's own form, variance exploding: x = x0 + sigma * noise. */
export function varianceExploding(sigma: number): Level {
  return { alpha: 1, sigma };
}

/** The variance-preserving form at VE noise level `sigma`: alpha^2 = abar = 1 / (1 + sigma^2), alpha^2 + sigma'^2 = 1. */
export function variancePreserving(sigma: number): Level {
  const alpha = 1 / Math.sqrt(1 + sigma * sigma);
  return { alpha, sigma: sigma * alpha };
}

/** The straight path at VE noise level `sigma`: t = sigma / (1 + sigma), alpha = 1 - t, sigma' = t. */
export function straightPath(sigma: number): Level {
  return { alpha: 1 / (1 + sigma), sigma: sigma / (1 + sigma) };
}

/** x of one form as x of another with the same VE noise level (sigma / alpha): x * to.alpha / from.alpha. */
export function rescaleLevel(x: Tensor, from: Level, to: Level): Tensor {
  return axpby(to.alpha / from.alpha, x, 0, x);
}

/** The prediction of x0 that `value` of kind `from` stands for, at x of the given level. Throws UsageError on an unknown kind. */
export function toX0(from: Parameterisation, value: Tensor, x: Tensor, level: Level): Tensor {
  const [a, b] = coefficients(from, level);
  return axpby(-a / b, x, 1 / b, value);
}

/** The prediction of kind `to` that is the same as the prediction `x0`, at x of the given level. Throws UsageError on an unknown kind. */
export function fromX0(to: Parameterisation, x0: Tensor, x: Tensor, level: Level): Tensor {
  const [a, b] = coefficients(to, level);
  return axpby(a, x, b, x0);
}

/** `value` of kind `from` as kind `to`: to = (a' - a b' / b) x + (b' / b) value. Exact; no clipping. */
export function convert(
  value: Tensor,
  from: Parameterisation,
  to: Parameterisation,
  x: Tensor,
  level: Level,
): Tensor {
  const [a, b] = coefficients(from, level);
  const [aTo, bTo] = coefficients(to, level);
  return axpby(aTo - (a * bTo) / b, x, bTo / b, value);
}

/** [a, b] of value = a * x + b * x0. */
function coefficients(kind: Parameterisation, { alpha, sigma }: Level): readonly [number, number] {
  switch (kind) {
    case "eps":
      return [1 / sigma, -alpha / sigma];
    case "x0":
      return [0, 1];
    case "v":
      return [alpha / sigma, -(alpha * alpha + sigma * sigma) / sigma];
    case "score":
      return [-1 / (sigma * sigma), alpha / (sigma * sigma)];
    case "velocity":
      return [1 / sigma, -(alpha + sigma) / sigma];
    default:
      throw new UsageError(
        `no parameterisation is called "${String(kind satisfies never)}"; there are: eps, x0, v, score, velocity`,
      );
  }
}
