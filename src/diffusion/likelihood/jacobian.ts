import { UsageError } from "../../base/errors.ts";
import { seededNoise } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpy, concatRows, map, rowSize, rows, sizeOf } from "../../base/tensor.ts";
import type { Denoiser, Evaluate, Labels } from "../denoiser.ts";

/**
 * D(x; sigma) and, for each of some directions v of x's shape, v' J v of every row, J = dD/dx: the sum over coordinate directions is the
 * trace of J, and its mean over random ones estimates it.
 */
export type Curvature = (
  x: Tensor,
  sigma: number,
  directions: readonly Tensor[],
) => Promise<{ readonly denoised: Tensor; readonly products: readonly Float64Array[] }>;

/** Rows that one call of a denoiser's vjp gets at most, unless one direction has more. */
const ROWS = 1024;

/**
 * By the denoiser's vector-Jacobian product, several directions in one call. Exact. Cost: one vjp a row and direction.
 * Throws UsageError where the denoiser has none.
 */
export function pulledBack(denoiser: Denoiser, labels: Labels | null = null): Curvature {
  if (!denoiser.vjp) {
    throw new UsageError(
      "this denoiser cannot be differentiated; take differences of its predictions instead",
    );
  }
  return async (x, sigma, directions) => {
    const count = x.shape[0];
    const together = Math.max(1, Math.floor(ROWS / count));
    const products: Float64Array[] = [];
    let denoised: Tensor | undefined;
    for (let start = 0; start < directions.length; start += together) {
      const some = directions.slice(start, start + together);
      const condition = labels && some.flatMap(() => labels);
      const at = concatRows(some.map(() => x));
      const pulled = await denoiser.vjp!(at, sigma, { condition }, concatRows(some));
      some.forEach((v, k) => products.push(rowDots(v, rows(pulled.gradient, k * count, (k + 1) * count))));
      denoised ??= rows(pulled.denoised, 0, count);
    }
    return { denoised: denoised!, products };
  };
}

/**
 * By central differences of any prediction, guided ones too: v' (D(x + h v) - D(x - h v)) / (2 h) with h = step * sigma.
 * Off by about step^2 times the prediction's bend, and by its rounding over h. Cost: 1 evaluation, and 2 a direction.
 */
export function differences(evaluate: Evaluate, { step = 1e-3 }: { readonly step?: number } = {}): Curvature {
  return async (x, sigma, directions) => {
    const h = step * sigma;
    const products: Float64Array[] = [];
    for (const v of directions) {
      const [ahead, behind] = [await evaluate(axpy(h, v, x), sigma), await evaluate(axpy(-h, v, x), sigma)];
      products.push(rowDots(v, axpy(-1, behind, ahead)).map((value) => value / (2 * h)));
    }
    return { denoised: await evaluate(x, sigma), products };
  };
}

/** The unit vectors of the space of one row, each repeated over the rows: the trace is the sum over them. */
export function coordinateDirections(shape: readonly number[]): Tensor[] {
  const size = sizeOf(shape.slice(1));
  return Array.from({ length: size }, (_, i) => ({
    data: Float64Array.from({ length: shape[0] * size }, (_, at) => (at % size === i ? 1 : 0)),
    shape,
  }));
}

/** Random directions, row i from seeds[i]: signs, or normal numbers. The mean of v' J v over them is the trace in expectation. */
export function randomDirections(
  shape: readonly number[],
  count: number,
  seeds: readonly number[],
  kind: "rademacher" | "normal",
): Tensor[] {
  return Array.from({ length: count }, (_, k) => {
    if (kind === "normal") return seededNoise(seeds, k, shape, "float64");
    return map((value) => (value < 0 ? -1 : 1), seededNoise(seeds, k, shape, "float64"));
  });
}

/** <a, b> of each row. */
function rowDots(a: Tensor, b: Tensor): Float64Array {
  const size = rowSize(a);
  const out = new Float64Array(a.shape[0]);
  for (let i = 0; i < a.data.length; i++) out[Math.floor(i / size)] += a.data[i] * b.data[i];
  return out;
}
