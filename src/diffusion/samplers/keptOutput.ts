import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, sub } from "../../base/tensor.ts";
import { edm } from "../preconditioning.ts";

/** The kind of a network's output that stays while the sample gets noisier. */
export type KeptOutput = "eps" | "v" | "x0" | "edm";

/** A sample and its noise level. */
interface NoisySample {
  readonly x: Tensor;
  readonly sigma: number;
}

/**
 * The prediction of x0 at a sample that was made noisier, from the one made before, where the network is not asked again: its output stays.
 *   x0   D
 *   eps  xHat - sigmaHat eps, eps = (x - D)/sigma
 *   v    D + (xHat - x)/(1 + sigma^2): with the factors of the old level, as in diffusers
 *   edm  cSkip(sigmaHat) xHat + cOut(sigmaHat) F, F = (D - cSkip(sigma) x)/cOut(sigma)
 */
export function withKeptOutput(
  kind: KeptOutput,
  denoised: Tensor,
  { x, sigma }: NoisySample,
  hat: NoisySample,
  sigmaData: number,
): Tensor {
  switch (kind) {
    case "x0":
      return denoised;
    case "eps":
      return axpy(-hat.sigma / sigma, sub(x, denoised), hat.x);
    case "v":
      return axpy(1 / (1 + sigma * sigma), sub(hat.x, x), denoised);
    case "edm": {
      const { cSkip, cOut } = edm({ sigmaData });
      const output = axpby(-cSkip(sigma) / cOut(sigma), x, 1 / cOut(sigma), denoised);
      return axpby(cSkip(hat.sigma), hat.x, cOut(hat.sigma), output);
    }
  }
}
