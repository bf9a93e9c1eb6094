import { FairleadError } from "../../base/errors.ts";

/** Nodes, coefficients of the stages, and of the error (order 5 less order 4). Source: Dormand & Prince 1980. */
const NODES = [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1];
const STAGES: readonly (readonly number[])[] = [
  [],
  [1 / 5],
  [3 / 40, 9 / 40],
  [44 / 45, -56 / 15, 32 / 9],
  [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
  [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
  [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
];
const ERROR = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40];

export interface DormandPrinceOptions {
  /** Relative tolerance of a step, above 0. */
  readonly rtol: number;
  /** Absolute tolerance of a step, above 0. */
  readonly atol: number;
}

/**
 * y(to) for dy/dt = slope(t, y) and y(from) = y: Dormand and Prince's pair of orders 5 and 4 with steps as long as the largest
 * |difference| / (atol + rtol max(|y|, |y'|)) over all elements is 1 at most. `from` is below `to`.
 *
 * Cost: 6 evaluations of the slope a step, accepted or not, and one. Throws FairleadError where no step is short enough.
 * Source: Dormand & Prince 1980, J. Comput. Appl. Math. 6; step control as in Hairer, Norsett & Wanner, II.4.
 */
export async function dormandPrince(
  slope: (t: number, y: Float64Array) => Promise<Float64Array>,
  y: Float64Array,
  [from, to]: readonly [number, number],
  { rtol, atol }: DormandPrinceOptions,
): Promise<Float64Array> {
  let t = from;
  let h = (to - from) / 50;
  let first = await slope(t, y);
  while (t < to) {
    if (h < 1e-9 * (to - from)) {
      throw new FairleadError(
        `the path cannot be followed to the tolerance at ${t}: the slope is not smooth enough there; raise rtol and atol`,
      );
    }
    const isLast = t + h >= to;
    if (isLast) h = to - t;

    const slopes = [first];
    let next = y;
    for (let stage = 1; stage < NODES.length; stage++) {
      next = combined(y, h, STAGES[stage], slopes);
      slopes.push(await slope(t + NODES[stage] * h, next));
    }
    const off = combined(new Float64Array(y.length), h, ERROR, slopes);
    const size = (i: number): number => atol + rtol * Math.max(Math.abs(y[i]), Math.abs(next[i]));
    const error = off.reduce((most, value, i) => Math.max(most, Math.abs(value) / size(i)), 0);

    if (error <= 1) {
      t = isLast ? to : t + h;
      y = next;
      first = slopes[slopes.length - 1]; // the last stage is the next step's first
    }
    h *= Number.isNaN(error) ? 0.2 : Math.min(5, Math.max(0.2, 0.9 * error ** -0.2));
  }
  return y;
}

/** y + h sum_j weights[j] slopes[j] */
function combined(
  y: Float64Array,
  h: number,
  weights: readonly number[],
  slopes: readonly Float64Array[],
): Float64Array {
  return y.map((value, i) => weights.reduce((sum, weight, j) => sum + h * weight * slopes[j][i], value));
}
