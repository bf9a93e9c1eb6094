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
import type { Mixture } from "../../diffusion/oracles/mixture.ts";
import { gaussianMixture } from "../../diffusion/oracles/mixture.ts";

export interface Tree {
  /** Class A and class B: exact oracles of 1016 Gaussians each, in depth-first order. */
  readonly classes: readonly [Mixture, Mixture];
  /** The share of each class in both together: branches have random lengths, so it is not exactly 1/2. */
  readonly priors: readonly [number, number];
}

interface Gaussians {
  readonly weights: number[];
  readonly means: [number, number][];
  readonly covariances: number[][][];
}

const SEED = 2;
const ROOT = [0.003, 0.0325] as const;
const HEADINGS = [Math.PI / 4, (5 * Math.PI) / 4] as const;
const ZOOM = [1.3136, 1.3844] as const;
const DEPTH = 7;
const PER_BRANCH = 8;

/** The tree's two classes, always the same. */
export function tree(): Tree {
  const random = numpyRandomState(SEED);
  const [a, b] = HEADINGS.map((heading) => grow(random, heading));
  const [massA, massB] = [a, b].map(({ weights }) => weights.reduce((sum, w) => sum + w, 0));
  return {
    classes: [gaussianMixture(a), gaussianMixture(b)],
    priors: [massA / (massA + massB), massB / (massA + massB)],
  };
}

/** The Gaussians of one class, their weights not normalised. */
function grow(random: RandomState, heading: number): Gaussians {
  const gaussians: Gaussians = { weights: [], means: [], covariances: [] };

  function branch(x: number, y: number, angle: number, depth: number): void {
    const length = 0.292 * 0.8 ** depth * (1 + 0.2 * random.randn());
    const u = [Math.cos(angle), Math.sin(angle)];
    const s = ZOOM.map((zoom) => 0.06 * length * zoom);
    const across = ((0.2 * 0.8 ** depth) / length) ** 2;
    const covariance = [0, 1].map((i) =>
      [0, 1].map((j) => (u[i] * u[j] + across * ((i === j ? 1 : 0) - u[i] * u[j])) * s[i] * s[j]),
    );
    for (let i = 0; i < PER_BRANCH; i++) {
      const t = 0.07 + (0.86 * i) / (PER_BRANCH - 1);
      gaussians.weights.push(length * 0.5 ** depth);
      gaussians.means.push([(x + length * t * u[0]) * ZOOM[0], (y + length * t * u[1]) * ZOOM[1]]);
      gaussians.covariances.push(covariance);
    }
    for (const side of [1, -1]) {
      // The turn of a child beyond the last depth is drawn as well.
      const turn = 0.7 ** depth * (1 + 0.2 * random.randn());
      if (depth + 1 === DEPTH) continue;
      branch(x + length * u[0], y + length * u[1], angle + side * turn, depth + 1);
    }
  }

  branch(ROOT[0], ROOT[1], heading, 0);
  return gaussians;
}
