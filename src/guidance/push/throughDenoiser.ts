import type { Tensor } from "../../base/tensor.ts";
import { scale } from "../../base/tensor.ts";
import type { PushMoment } from "../guidance.ts";
import { choice } from "../values.ts";

/**
 * What stands for J = dD/dx where a gradient with respect to the prediction D(x; sigma) becomes one with respect to x.
 *
 *   denoiser   J itself: about two more evaluations of the network
 *   gaussian   1/(1 + sigma^2), J for data of variance 1: free
 *   identity   1: free; a push of sigma^2 * scale * gradient, large where there is much noise
 */
export type Through = "denoiser" | "gaussian" | "identity";

export const throughOption = {
  meaning:
    "how the gradient comes from the prediction to x: denoiser (exact), gaussian (times 1/(1 + sigma^2), as for data of variance 1; free) or identity (as it is; free)",
  unit: "one of denoiser, gaussian, identity",
  default: "denoiser" as Through,
  values: choice<Through>("denoiser", "gaussian", "identity"),
} as const;

/** The gradient with respect to x of f(D(x; sigma)), where `gradient` gives that of f with respect to its argument. */
export async function throughDenoiser<C>(
  at: PushMoment<C>,
  through: Through,
  gradient: (denoised: Tensor) => Promise<Tensor>,
): Promise<Tensor> {
  const outer = await gradient(await at.predicted());
  switch (through) {
    case "denoiser":
      return at.pullback(outer);
    case "gaussian":
      return scale(1 / (1 + at.sigma * at.sigma), outer);
    case "identity":
      return outer;
  }
}

/** What a push counts that goes this way. */
export const gradientsThrough = (through: Through): number => (through === "denoiser" ? 2 : 1);

/** What stands before the gradient in the formula of a push that goes this way. */
export const factorOf = (through: unknown): string =>
  through === "gaussian" ? "1/(1 + sigma^2)" : through === "identity" ? "1" : "J'";
