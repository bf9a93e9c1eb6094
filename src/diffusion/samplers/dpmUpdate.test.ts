import { describe, expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import type { DpmAlgorithm } from "./dpmUpdate.ts";
import { smoothPart, stepWeights } from "./dpmUpdate.ts";

const ALGORITHMS: readonly DpmAlgorithm[] = ["dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++"];
const STEPS: readonly (readonly [number, number])[] = [
  [4, 1.5],
  [0.8, 0.79],
  [1e4, 20],
];

/**
 * Mean and variance at the end of a step from (x, 0) by Runge-Kutta in lambda = -ln sigma, of the process that the algorithm solves: with
 * e = eta on the SDE and 0 on the ODE, and p the prediction,
 *   x0:   dmean = (1 + e) (p - mean) dlambda,      dvariance = (-2 (1 + e) variance + 2 e sigma^2) dlambda
 *   eps:  dmean = -(1 + e) sigma p dlambda,        dvariance = 2 e sigma^2 dlambda
 */
function exactStep(
  algorithm: DpmAlgorithm,
  [sigma, next]: readonly [number, number],
  eta: number,
  x: number,
  p: (u: number) => number,
): { readonly mean: number; readonly variance: number } {
  const e = algorithm.startsWith("sde") ? eta : 0;
  const h = Math.log(sigma / next);
  const count = 2000;
  const slope = ([mean, variance]: readonly number[], u: number): number[] => {
    const level = sigma * Math.exp(-u * h);
    return algorithm.endsWith("++")
      ? [h * (1 + e) * (p(u) - mean), h * (-2 * (1 + e) * variance + 2 * e * level ** 2)]
      : [-h * (1 + e) * level * p(u), h * 2 * e * level ** 2];
  };
  const go = (y: readonly number[], k: readonly number[], d: number): number[] =>
    y.map((v, i) => v + d * k[i]);
  let y: number[] = [x, 0];
  for (let i = 0; i < count; i++) {
    const [u, d] = [i / count, 1 / count];
    const k1 = slope(y, u);
    const k2 = slope(go(y, k1, d / 2), u + d / 2);
    const k3 = slope(go(y, k2, d / 2), u + d / 2);
    const k4 = slope(go(y, k3, d), u + d);
    y = y.map((v, j) => v + (d / 6) * (k1[j] + 2 * k2[j] + 2 * k3[j] + k4[j]));
  }
  return { mean: y[0], variance: y[1] };
}

describe.each(ALGORITHMS)("the weights of a step of %s", (algorithm) => {
  test.each(STEPS)(
    "solve the process exactly for a constant, a line and a parabola, and give its noise: sigma %f to %f",
    (...step) => {
      for (const eta of [0, 0.5, 1, 2]) {
        const w = stepWeights(algorithm, ...step, eta);
        const [x, m, a, b] = [1.3, 0.7, -0.4, 0.9];
        const want = exactStep(algorithm, step, eta, x, (u) => m + a * u + b * u * u);
        const got = w.keep * x + w.constant * m + w.linear * a + w.quadratic * b;
        expect(got).toBeAllClose(want.mean, { rel: 1e-8, abs: 1e-8 });
        expect(w.deviation ** 2).toBeAllClose(want.variance, { rel: 1e-8, abs: 1e-12 });
      }
    },
  );

  test("make of two steps what one long step makes, where the prediction is constant", () => {
    for (const eta of [0, 1, 1.7]) {
      const [first, second, whole] = [
        stepWeights(algorithm, 5, 2, eta),
        stepWeights(algorithm, 2, 0.3, eta),
        stepWeights(algorithm, 5, 0.3, eta),
      ];
      expect(second.keep * first.keep).toBeAllClose(whole.keep, { rel: 1e-14 });
      expect(second.keep * first.constant + second.constant).toBeAllClose(whole.constant, { rel: 1e-14 });
      const variance = (second.keep * first.deviation) ** 2 + second.deviation ** 2;
      expect(variance).toBeAllClose(whole.deviation ** 2, { rel: 1e-13 });
    }
  });

  test("move nothing over a step of length 0", () => {
    expect(stepWeights(algorithm, 0.3, 0.3, 1)).toEqual({
      h: 0,
      keep: 1,
      constant: expect.closeTo(0, 15) as number,
      linear: expect.closeTo(0, 15) as number,
      quadratic: expect.closeTo(0, 15) as number,
      deviation: 0,
    });
  });
});

test("without a share of noise the SDE's weights are the ODE's", () => {
  for (const kind of ["dpmsolver", "dpmsolver++"] as const) {
    expect(stepWeights(`sde-${kind}`, 3, 1, 0)).toEqual(stepWeights(kind, 3, 1, 0));
    expect(stepWeights(kind, 3, 1, 5)).toEqual(stepWeights(kind, 3, 1, 0)); // the ODE has no share
  }
});

test("the smooth part is D or eps = (x - D)/sigma, at lambda = -ln sigma", () => {
  const [x, denoised] = [tensor(Float64Array.of(3, -1), [2, 1]), tensor(Float64Array.of(1, 1), [2, 1])];
  for (const algorithm of ALGORITHMS) {
    const { lambda, m } = smoothPart(algorithm, x, denoised, 0.5);
    expect(lambda).toBe(Math.log(2));
    expect(m).toBeAllClose(algorithm.endsWith("++") ? [1, 1] : [4, -4], { abs: 0 });
  }
});
