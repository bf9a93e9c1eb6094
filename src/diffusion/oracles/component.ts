import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { UsageError } from "../../base/errors.ts";

/** A symmetric matrix as rows. */
export type Covariance = readonly (readonly number[])[];

/** A Gaussian as people give it. A number as mean is a point in one dimension. Give exactly one of std and covariance. */
export interface GaussianSpec {
  readonly mean: number | readonly number[];
  /** Standard deviation of every axis, or one per axis; 0 or more. */
  readonly std?: number | readonly number[];
  /** Symmetric, no negative eigenvalue, [d, d]. */
  readonly covariance?: Covariance;
}

/** A Gaussian N(mean, axes diag(variances) axes') in the basis where noise of any level only adds to the variances. */
export interface Component {
  /** [d] */
  readonly mean: Float64Array;
  /** Variance along each axis, [d]. */
  readonly variances: Float64Array;
  /** Orthonormal axes as columns, [d, d] row-major; null: the coordinate axes. */
  readonly axes: Float64Array | null;
}

/** The Gaussian in its own axes. Throws UsageError where std or covariance do not fit the mean or are not a covariance. */
export function component({ mean, std, covariance }: GaussianSpec): Component {
  const center = Float64Array.from(typeof mean === "number" ? [mean] : mean);
  const dimensions = center.length;
  if (dimensions === 0 || !center.every(Number.isFinite))
    throw new UsageError("the mean of a Gaussian is one or more finite numbers");
  if ((std === undefined) === (covariance === undefined))
    throw new UsageError("a Gaussian takes std or covariance, one of the two");
  if (std !== undefined) {
    const deviations = typeof std === "number" ? Array.from(center, () => std) : std;
    if (deviations.length !== dimensions || !deviations.every((s) => s >= 0 && Number.isFinite(s))) {
      throw new UsageError(
        `std is a number of at least 0, or one for each of the ${dimensions} axes, got ${String(std)}`,
      );
    }
    return { mean: center, variances: Float64Array.from(deviations, (s) => s * s), axes: null };
  }
  return { mean: center, ...eigen(covariance!, dimensions) };
}

function eigen(covariance: Covariance, dimensions: number): Pick<Component, "variances" | "axes"> {
  const isSquare = covariance.length === dimensions && covariance.every((row) => row.length === dimensions);
  if (!isSquare || !covariance.flat().every(Number.isFinite)) {
    throw new UsageError(
      `a covariance of ${dimensions} dimensions is ${dimensions} rows of ${dimensions} finite numbers`,
    );
  }
  const scale = Math.max(...covariance.map((row, i) => Math.abs(row[i])));
  const isSymmetric = covariance.every((row, i) =>
    row.every((value, j) => Math.abs(value - covariance[j][i]) <= 1e-12 * scale),
  );
  if (!isSymmetric) throw new UsageError("a covariance is symmetric: entry (i, j) equals entry (j, i)");
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(
    new Matrix(covariance.map((row) => [...row])),
    {
      assumeSymmetric: true,
    },
  );
  if (realEigenvalues.some((value) => value < -1e-12 * scale)) {
    throw new UsageError(`a covariance has no negative eigenvalue, got ${Math.min(...realEigenvalues)}`);
  }
  return {
    variances: Float64Array.from(realEigenvalues, (value) => Math.max(value, 0)),
    axes: Float64Array.from(eigenvectorMatrix.to1DArray()),
  };
}

/** out = axes' v: coordinates along the axes. */
export function toAxes({ axes }: Component, v: Float64Array, out: Float64Array): void {
  if (axes === null) return out.set(v);
  const d = v.length;
  for (let j = 0; j < d; j++) {
    let sum = 0;
    for (let i = 0; i < d; i++) sum += axes[i * d + j] * v[i];
    out[j] = sum;
  }
}

/** out = axes v: coordinates of space. */
export function fromAxes({ axes }: Component, v: Float64Array, out: Float64Array): void {
  if (axes === null) return out.set(v);
  const d = v.length;
  for (let i = 0; i < d; i++) {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += axes[i * d + j] * v[j];
    out[i] = sum;
  }
}

/** The matrix axes diag(variances) axes', row-major. */
export function covarianceOf(c: Component): Float64Array {
  const d = c.mean.length;
  const out = new Float64Array(d * d);
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) {
      if (c.axes === null) out[i * d + j] = i === j ? c.variances[i] : 0;
      else
        for (let k = 0; k < d; k++) out[i * d + j] += c.axes[i * d + k] * c.variances[k] * c.axes[j * d + k];
    }
  }
  return out;
}
