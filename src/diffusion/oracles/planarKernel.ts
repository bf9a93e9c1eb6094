import type { FloatArray } from "../../base/tensor.ts";
import type { Component } from "./component.ts";
import { covarianceOf } from "./component.ts";
import type { Kernel } from "./kernel.ts";
import { NEGLIGIBLE } from "./kernel.ts";

/** Numbers per component in the table: mean x, mean y, covariance xx, xy, yy, weight. */
const COLUMNS = 6;

/**
 * The kernel of a mixture in the plane: the numbers of `generalKernel`, some ten times as fast where every point has its own
 * noise level. Measured by bench/mixtureScore.ts.
 */
export function planarKernel(weights: Float64Array, components: readonly Component[]): Kernel {
  const table = Float64Array.from(
    components.flatMap((c, k) => {
      const [xx, xy, , yy] = covarianceOf(c);
      return [c.mean[0], c.mean[1], xx, xy, yy, weights[k]];
    }),
  );
  const reach = reachOf(weights, components);
  const score = new Float64Array(2);
  const kernel = {
    logDensity: 0,
    score,
    evaluate(x: FloatArray, offset: number, sigma: number): void {
      kernel.logDensity = evaluatePlanar(table, reach, x[offset], x[offset + 1], sigma * sigma, score);
    },
  };
  return kernel;
}

/**
 * Writes the score at (px, py) and returns the log density, in one pass over the components.
 *
 * Sums are relative to exp(-least / 2) for the least square (x - m)' S^-1 (x - m) met so far, and shrink when a smaller one is
 * met; a component farther than `reach` beyond the least is left out. So nothing overflows, and far components cost no exp.
 */
function evaluatePlanar(
  table: Float64Array,
  reach: number,
  px: number,
  py: number,
  variance: number,
  score: Float64Array,
): number {
  let least = Number.MAX_VALUE;
  let total = 0;
  let scoreX = 0;
  let scoreY = 0;
  for (let at = 0; at < table.length; at += COLUMNS) {
    // S = C + variance I = [a, b; b, c] and (vx, vy) = S^-1 (m - x).
    const dx = table[at] - px;
    const dy = table[at + 1] - py;
    const a = table[at + 2] + variance;
    const b = table[at + 3];
    const c = table[at + 4] + variance;
    const inverse = 1 / (a * c - b * b);
    const vx = (c * dx - b * dy) * inverse;
    const vy = (a * dy - b * dx) * inverse;
    const square = dx * vx + dy * vy;

    let relative = 1;
    if (square < least) {
      const shrink = least - square > LONGEST ? 0 : expOfMinus((least - square) / 2);
      total *= shrink;
      scoreX *= shrink;
      scoreY *= shrink;
      least = square;
    } else if (square - least > reach) {
      continue;
    } else {
      relative = expOfMinus((square - least) / 2);
    }
    const term = table[at + 5] * Math.sqrt(inverse) * relative;
    total += term;
    scoreX += term * vx;
    scoreY += term * vy;
  }
  score[0] = scoreX / total;
  score[1] = scoreY / total;
  return Math.log(total) - least / 2 - Math.log(2 * Math.PI);
}

/**
 * How much farther (in squared deviations) than the nearest component another one must be to be negligible at every noise level:
 * 2 NEGLIGIBLE, and twice the log of the largest ratio of two factors w / sqrt(|S|), which added noise only brings nearer to that of w.
 */
function reachOf(weights: Float64Array, components: readonly Component[]): number {
  const spread = (values: readonly number[]) =>
    Math.log(values.reduce((a, b) => Math.max(a, b)) / values.reduce((a, b) => Math.min(a, b)));
  const smaller = components.map(({ variances }) => Math.min(...variances));
  const larger = components.map(({ variances }) => Math.max(...variances));
  const reach = 2 * NEGLIGIBLE + 2 * spread(Array.from(weights)) + spread(smaller) + spread(larger);
  return reach < LONGEST ? reach : LONGEST; // also where a variance is 0
}

const PER_UNIT = 64;
const UNITS = 700;
/** The longest squared distance whose exp(-square / 2) is in the table. */
const LONGEST = 2 * UNITS;
const TABLE = Float64Array.from({ length: PER_UNIT * UNITS + 1 }, (_, i) => Math.exp(-i / PER_UNIT));

/** exp(-y) for 0 <= y <= 700, to 2e-15 relative: a table at steps of 1/64 and the series to r^5. About twice as fast as Math.exp. */
export function expOfMinus(y: number): number {
  const i = (y * PER_UNIT + 0.5) | 0;
  const r = i / PER_UNIT - y; // at most 1/128
  return TABLE[i] * (1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r / 120)))));
}
