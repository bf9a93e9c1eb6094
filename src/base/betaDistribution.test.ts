import { describe, expect, test } from "vitest";
import { betaCdf, betaQuantile, logGamma } from "./betaDistribution.ts";

test("ln Gamma at whole and half numbers", () => {
  expect(logGamma(1)).toBeAllClose(0, { abs: 1e-14 });
  expect(logGamma(5)).toBeAllClose(Math.log(24), { rel: 1e-14 });
  expect(logGamma(0.5)).toBeAllClose(Math.log(Math.PI) / 2, { rel: 1e-13 });
  expect(logGamma(0.6) - logGamma(1.6)).toBeAllClose(-Math.log(0.6), { rel: 1e-13 });
});

describe("the distribution function", () => {
  test("is scipy's beta.cdf", () => {
    const cases = [
      [0.1, 0.6, 0.6, 0.17604725434603785],
      [0.9, 0.6, 0.6, 0.8239527456539625],
      [0.3, 2, 5, 0.579825],
      [1e-6, 0.5, 3, 0.0018749987500003749],
      [0.45, 40, 60, 0.8462247976813987],
    ] as const;
    for (const [x, a, b, want] of cases) expect(betaCdf(x, a, b)).toBeAllClose(want, { rel: 2e-13 });
  });

  test("has closed forms: x^a for b = 1, arcsine for a = b = 1/2, and the mirror image", () => {
    for (const x of [1e-9, 0.01, 0.4, 0.6, 0.999]) {
      expect(betaCdf(x, 3, 1)).toBeAllClose(x ** 3, { rel: 1e-13 });
      expect(betaCdf(x, 0.5, 0.5)).toBeAllClose((2 / Math.PI) * Math.asin(Math.sqrt(x)), { rel: 1e-12 });
      expect(betaCdf(x, 0.7, 2.5) + betaCdf(1 - x, 2.5, 0.7)).toBeAllClose(1, { rel: 1e-13 });
    }
    expect([betaCdf(-1, 2, 2), betaCdf(0, 2, 2), betaCdf(1, 2, 2), betaCdf(2, 2, 2)]).toEqual([0, 0, 1, 1]);
  });
});

describe("the quantile", () => {
  test("is scipy's beta.ppf", () => {
    const cases = [
      [1e-9, 0.6, 0.6, 1.85588246249141e-15],
      [1e-4, 0.6, 0.6, 3.998377158137721e-7],
      [1 / 9, 0.6, 0.6, 0.04709181754904242],
      [2 / 9, 0.6, 0.6, 0.14560109714141548],
      [0.875, 0.6, 0.6, 0.942843636377586],
      [0.9999, 0.6, 0.6, 0.9999996001622842],
      [0.01, 2, 5, 0.026763191142755053],
      [0.95, 2, 5, 0.5818034092520259],
      [0.001, 0.5, 3, 2.8444455232269607e-7],
      [0.6, 0.5, 3, 0.12027310064340462],
      [0.02, 40, 60, 0.3023514314699457],
      [0.98, 40, 60, 0.5019347277534705],
    ] as const;
    for (const [p, a, b, want] of cases) expect(betaQuantile(p, a, b)).toBeAllClose(want, { rel: 2e-12 });
  });

  test("undoes the distribution function, to the relative precision of a small p", () => {
    for (const [a, b] of [
      [0.6, 0.6],
      [1, 1],
      [0.3, 4],
      [8, 0.9],
      [20, 30],
    ] as const) {
      for (const p of [1e-12, 1e-5, 0.03, 0.3, 0.5, 0.7, 0.97])
        expect(betaCdf(betaQuantile(p, a, b), a, b)).toBeAllClose(p, { rel: 1e-10 });
    }
  });

  test("is 0 and 1 at the ends, and never leaves them", () => {
    expect([betaQuantile(0, 0.6, 0.6), betaQuantile(1, 0.6, 0.6)]).toEqual([0, 1]);
    expect([betaQuantile(-0.1, 0.6, 0.6), betaQuantile(1.1, 0.6, 0.6), betaQuantile(NaN, 2, 2)]).toEqual([
      0, 1, 0,
    ]);
  });
});
