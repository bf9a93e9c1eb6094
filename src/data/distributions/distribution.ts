import { UsageError } from "../../base/errors.ts";
import type { Stream } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { Labels } from "../../diffusion/denoiser.ts";
import type { Mixture } from "../../diffusion/oracles/mixture.ts";

/** A law of labelled points in the plane. */
export interface Distribution {
  readonly name: string;
  readonly description: string;
  /** Names of the classes by label. */
  readonly classes: readonly string[];
  /** Probability of each class; sum 1. */
  readonly priors: readonly number[];
  /** The exact law of each class where that is a Gaussian mixture, else null. */
  readonly mixtures: readonly Mixture[] | null;
  /**
   * n points [n, 2] in float64 and their labels: of all classes by their priors, or of one. Throws UsageError for a label
   * that does not exist.
   */
  sample(stream: Stream, n: number, label?: number): { readonly x: Tensor; readonly labels: Labels };
}

export interface DistributionSpec {
  readonly name: string;
  readonly description: string;
  readonly classes: readonly string[];
  /** Default: all classes alike. */
  readonly priors?: readonly number[];
  /** n points of one class, [n, 2] flat. */
  readonly draw: (stream: Stream, n: number, label: number) => ArrayLike<number>;
}

/** A distribution whose classes are drawn by `draw`. */
export function distribution({ name, description, classes, priors, draw }: DistributionSpec): Distribution {
  const shares = priors ?? classes.map(() => 1 / classes.length);
  return {
    name,
    description,
    classes,
    priors: shares,
    mixtures: null,
    sample(stream, n, label) {
      if (label !== undefined && !(label in classes)) {
        const known = classes.map((c, i) => `${i} ${c}`).join(", ");
        throw new UsageError(`${name} has no class ${label}; its classes are ${known}`);
      }
      const labels = Array.from({ length: n }, () => label ?? choose(shares, stream.uniform()));
      const data = new Float64Array(2 * n);
      for (const y of classes.keys()) {
        const rows = Array.from(labels.keys()).filter((row) => labels[row] === y);
        const points = draw(stream, rows.length, y);
        rows.forEach((row, i) => {
          data[2 * row] = points[2 * i];
          data[2 * row + 1] = points[2 * i + 1];
        });
      }
      return { x: { data, shape: [n, 2] }, labels };
    },
  };
}

/** A distribution whose classes are Gaussian mixtures. */
export function mixtureDistribution(
  spec: Omit<DistributionSpec, "draw">,
  mixtures: readonly Mixture[],
): Distribution {
  const draw: DistributionSpec["draw"] = (stream, n, label) => mixtures[label].sample(stream, n).data;
  return { ...distribution({ ...spec, draw }), mixtures };
}

/** The class that u in [0, 1) falls on when the shares stand side by side. */
function choose(shares: readonly number[], u: number): number {
  let sum = 0;
  const found = shares.findIndex((share) => u < (sum += share));
  return found < 0 ? shares.length - 1 : found;
}
