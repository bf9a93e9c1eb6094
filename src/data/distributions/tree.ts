/**
 * The two-class fractal tree on which the autoguidance paper shows what guidance does
 * (Karras et al. 2024, arXiv:2406.02507, appendix C): per class a binary tree of 127 branches, 8 Gaussians along each.
 *
 * A branch of depth k starts at p with heading a; n are standard normals of numpy's RandomState(2), in depth-first order:
 *   length      l = 0.292 0.8^k (1 + 0.2 n)
 *   Gaussians   at fractions t of the length, t evenly spaced on [0.07, 0.93]; u = (cos a, sin a)
 *   weight      l 0.5^k, then normalised over the classes in use
 *   mean        (p + l t u) z                                     z = (1.3136, 1.3844), per axis
 *   covariance  (u u^T + (0.2 0.8^k / l)^2 (1 - u u^T))_ij s_i s_j,  s = 0.06 l z
 *   children    two of depth k + 1 at p + l u, headings a +- 0.7^k (1 + 0.2 n), each with its own n, the + child first
 * The data's standard deviation is 0.5 along each axis.
 */
import type { RandomState } from "../../base/randomState.ts";
import { numpyRandomState } from "../../base/randomState.ts";
import type { MixtureParameters } from "./mixtures.ts";

export interface Tree {
  /** Class A (index 0) and class B (index 1), 1016 Gaussians each, each class normalised by itself. */
  readonly classes: readonly [MixtureParameters, MixtureParameters];
  /** The share of each class in both together: the tree's branches have random lengths, so it is not exactly 1/2. */
  readonly classWeights: readonly [number, number];
}

const SEED = 2;
const ROOT = [0.003, 0.0325] as const;
const HEADINGS = [Math.PI / 4, (5 * Math.PI) / 4] as const;
const ZOOM = [1.3136, 1.3844] as const;
const DEPTH = 7;
const PER_BRANCH = 8;
const COUNT = PER_BRANCH * (2 ** DEPTH - 1);

/** The tree's two classes as Gaussian mixtures. */
export function tree(): Tree {
  const random = numpyRandomState(SEED);
  const [a, b] = HEADINGS.map((heading) => grow(random, heading));
  const [massA, massB] = [normalise(a.weights), normalise(b.weights)];
  return { classes: [a, b], classWeights: [massA / (massA + massB), massB / (massA + massB)] };
}

/** One class, its weights not yet normalised. */
function grow(random: RandomState, heading: number): MixtureParameters {
  const weights = new Float64Array(COUNT);
  const means = new Float64Array(COUNT * 2);
  const covariances = new Float64Array(COUNT * 4);
  let next = 0;

  function branch(x: number, y: number, angle: number, depth: number): void {
    const width = 0.2 * 0.8 ** depth;
    const length = 0.292 * 0.8 ** depth * (1 + 0.2 * random.randn());
    const u = [Math.cos(angle), Math.sin(angle)];
    const s = [0.06 * length * ZOOM[0], 0.06 * length * ZOOM[1]];
    const across = (width / length) ** 2;
    for (let i = 0; i < PER_BRANCH; i++, next++) {
      const t = 0.07 + (0.86 * i) / (PER_BRANCH - 1);
      weights[next] = length * 0.5 ** depth;
      means[2 * next] = (x + length * t * u[0]) * ZOOM[0];
      means[2 * next + 1] = (y + length * t * u[1]) * ZOOM[1];
      for (let row = 0; row < 2; row++) {
        for (let column = 0; column < 2; column++) {
          const along = u[row] * u[column];
          const unit = row === column ? 1 : 0;
          covariances[4 * next + 2 * row + column] = (along + across * (unit - along)) * s[row] * s[column];
        }
      }
    }
    for (const side of [1, -1]) {
      // The turn of a child beyond the last depth is drawn as well.
      const turn = 0.7 ** depth * (1 + 0.2 * random.randn());
      if (depth + 1 === DEPTH) continue;
      branch(x + length * u[0], y + length * u[1], angle + side * turn, depth + 1);
    }
  }

  branch(ROOT[0], ROOT[1], heading, 0);
  return { weights, means, covariances };
}

/** Divides the weights by their sum, which is returned. */
function normalise(weights: Float64Array): number {
  const sum = weights.reduce((a, b) => a + b, 0);
  for (let i = 0; i < weights.length; i++) weights[i] /= sum;
  return sum;
}
