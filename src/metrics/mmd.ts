/**
 * The squared maximum mean discrepancy with a Gaussian kernel (Gretton et al. 2012). On unit-length image embeddings with
 * sigma 10 and times 1000 it is the CMMD of Jayasumana et al. 2024 (arXiv:2401.09603).
 */
import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Discrepancy } from "./discrepancy.ts";
import { discrepancy } from "./discrepancy.ts";
import type { ExtractorOption, Matrix, Measured } from "./features.ts";
import { matrices, measured } from "./features.ts";
import { squaredDistances } from "./pairs.ts";

export interface GaussianDiscrepancyOptions extends ExtractorOption {
  /** Width of the kernel, in the units of the features. Above 0. */
  readonly sigma: number;
  /** Scale each row to length 1 first. Default false. */
  readonly unitLength?: boolean;
}

export interface GaussianDiscrepancy extends Measured, Discrepancy {
  readonly sigma: number;
  readonly unitLength: boolean;
  /** 1000 x the biased value. */
  readonly cmmd: number;
}

/**
 * The squared discrepancy of `samples` [n, d] and `reference` [m, d] with k(x, y) = exp(-|x - y|^2 / (2 sigma^2)).
 * Throws UsageError for fewer than 2 rows, different widths, values that are not finite, sigma not above 0, or a row of
 * zeros where unit length is asked for. Cost: (n + m)^2 / 2 distances.
 */
export function gaussianDiscrepancy(
  samples: Tensor,
  reference: Tensor,
  options: GaussianDiscrepancyOptions,
): GaussianDiscrepancy {
  const { extractor, sigma, unitLength = false } = options;
  if (!(sigma > 0 && Number.isFinite(sigma))) throw new UsageError(`sigma must be above 0, got ${sigma}`);
  let { x, y } = matrices(samples, reference, 2);
  if (unitLength) {
    x = toUnitLength(x, "samples");
    y = toUnitLength(y, "reference");
  }
  const values = discrepancy(x, y, (a, i, b, start, end, out) => {
    squaredDistances(a, i, b, start, end, out);
    for (let j = 0; j < end - start; j++) out[j] = Math.exp(-out[j] / (2 * sigma * sigma));
  });
  return {
    ...measured("Gaussian-kernel discrepancy", extractor, x.n, y.n),
    ...values,
    cmmd: 1000 * values.biased,
    sigma,
    unitLength,
  };
}

function toUnitLength(x: Matrix, what: string): Matrix {
  const data = x.data.slice();
  for (let i = 0; i < x.n; i++) {
    const row = data.subarray(i * x.d, (i + 1) * x.d);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    if (length === 0)
      throw new UsageError(`${what}: row ${i} is all zeros and has no direction to scale to length 1`);
    for (let k = 0; k < x.d; k++) row[k] /= length;
  }
  return { ...x, data };
}
