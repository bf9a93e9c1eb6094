import type { Component } from "./component.ts";
import { covarianceOf } from "./component.ts";
import type { Kernel } from "./kernel.ts";
import { NEGLIGIBLE } from "./kernel.ts";

/**
 * The kernel of a mixture in the plane, written out for speed: the same numbers as `generalKernel`.
 * Cost of 4,096 points x 1,016 components: bench/mixtureScore.ts.
 */
export function planarKernel(weights: Float64Array, components: readonly Component[]): Kernel {
  const count = components.length;
  const table = () => new Float64Array(count);
  const column = (of: (c: Component) => number) => Float64Array.from(components, of);
  const [mx, my] = [column((c) => c.mean[0]), column((c) => c.mean[1])];
  const covariances = components.map(covarianceOf);
  const [cxx, cxy, cyy] = [0, 1, 3].map((entry) => Float64Array.from(covariances, (c) => c[entry]));
  // S^-1 = [a, b; b, c] and w / sqrt(|S|) of S = C + sigma^2 I, for the sigma they were prepared for.
  const [a, b, c, factors] = [table(), table(), table(), table()];
  const squares = table(); // (x - m)' S^-1 (x - m)
  let largestFactor = 0;
  let preparedSigma = NaN;

  function prepare(sigma: number): void {
    largestFactor = 0;
    for (let k = 0; k < count; k++) {
      const sxx = cxx[k] + sigma * sigma;
      const syy = cyy[k] + sigma * sigma;
      const inverse = 1 / (sxx * syy - cxy[k] * cxy[k]);
      a[k] = syy * inverse;
      b[k] = -cxy[k] * inverse;
      c[k] = sxx * inverse;
      const factor = weights[k] * Math.sqrt(inverse);
      factors[k] = factor;
      if (factor > largestFactor) largestFactor = factor;
    }
    preparedSigma = sigma;
  }

  const kernel: Kernel = {
    logDensity: 0,
    score: new Float64Array(2),
    denoised: new Float64Array(2),
    terms: table(),
    total: 0,
    evaluate(x, offset, sigma) {
      if (sigma !== preparedSigma) prepare(sigma);
      const px = x[offset];
      const py = x[offset + 1];
      const { terms, score, denoised } = kernel;

      // The nearest component; its term is at most the largest, so what is negligible beside it is negligible.
      let nearest = 0;
      let least = Infinity;
      for (let k = 0; k < count; k++) {
        const dx = mx[k] - px;
        const dy = my[k] - py;
        const square = (a[k] * dx + 2 * b[k] * dy) * dx + c[k] * dy * dy;
        squares[k] = square;
        if (square < least) {
          least = square;
          nearest = k;
        }
      }
      const limit = Math.min(
        least + 2 * (NEGLIGIBLE + Math.log(largestFactor / factors[nearest])),
        least + 2 * LARGEST,
      );

      // Sums over the components that count: score = S^-1 (m - x), denoised = m - C S^-1 (m - x).
      let total = 0;
      let scoreX = 0;
      let scoreY = 0;
      let denoisedX = 0;
      let denoisedY = 0;
      for (let k = 0; k < count; k++) {
        if (squares[k] > limit) {
          terms[k] = 0;
          continue;
        }
        const term = factors[k] * expOfMinus((squares[k] - least) / 2);
        const dx = mx[k] - px;
        const dy = my[k] - py;
        const vx = a[k] * dx + b[k] * dy;
        const vy = b[k] * dx + c[k] * dy;
        terms[k] = term;
        total += term;
        scoreX += term * vx;
        scoreY += term * vy;
        denoisedX += term * (mx[k] - cxx[k] * vx - cxy[k] * vy);
        denoisedY += term * (my[k] - cxy[k] * vx - cyy[k] * vy);
      }
      score[0] = scoreX / total;
      score[1] = scoreY / total;
      denoised[0] = denoisedX / total;
      denoised[1] = denoisedY / total;
      kernel.total = total;
      kernel.logDensity = Math.log(total) - least / 2 - Math.log(2 * Math.PI);
    },
  };
  return kernel;
}

const PER_UNIT = 64;
const LARGEST = 700;
const TABLE = Float64Array.from({ length: PER_UNIT * LARGEST + 1 }, (_, i) => Math.exp(-i / PER_UNIT));

/** exp(-y) for 0 <= y <= 700, to 2e-15 relative: a table at steps of 1/64 and five terms of the series. Twice as fast as Math.exp. */
export function expOfMinus(y: number): number {
  const i = (y * PER_UNIT + 0.5) | 0;
  const r = i / PER_UNIT - y; // at most 1/128
  return TABLE[i] * (1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r / 120)))));
}
