import { expect, test } from "vitest";
import { integrate, lagrange, lagrangeCoefficients, lagrangeIntegrals } from "./lagrange.ts";

const POINTS = [0.3, -1.2, 2, 0.9, -0.4];
const at = (coefficients: readonly number[], t: number): number =>
  coefficients.reduceRight((sum, c) => sum * t + c, 0);

test("a Lagrange polynomial is 1 at its point and 0 at the others", () => {
  POINTS.forEach((_, j) =>
    POINTS.forEach((p, k) => expect(lagrange(POINTS, j, p)).toBeAllClose(k === j ? 1 : 0, { abs: 1e-14 })),
  );
});

test("its coefficients, the constant first, give the same polynomial, of degree one less than the points", () => {
  for (const count of [1, 2, 3, 5]) {
    const points = POINTS.slice(0, count);
    points.forEach((_, j) => {
      const coefficients = lagrangeCoefficients(points, j);
      expect(coefficients).toHaveLength(count);
      for (const t of [-2, -0.7, 0, 0.5, 3])
        expect(at(coefficients, t)).toBeAllClose(lagrange(points, j, t), { abs: 1e-12, rel: 1e-12 });
    });
  }
});

test("the coefficients solve the Vandermonde system: sum_k c_ki p_k^l is 1 where i = l, else 0", () => {
  for (let i = 0; i < POINTS.length; i++) {
    for (let l = 0; l < POINTS.length; l++) {
      const sum = POINTS.reduce((s, p, k) => s + lagrangeCoefficients(POINTS, k)[i] * p ** l, 0);
      expect(sum).toBeAllClose(i === l ? 1 : 0, { abs: 1e-13 });
    }
  }
});

test("integrals of Lagrange polynomials integrate every polynomial through the points", () => {
  const f = (t: number): number => 2 - t + 3 * t ** 2 - 0.5 * t ** 3 + 0.25 * t ** 4;
  const F = (t: number): number => 2 * t - t ** 2 / 2 + t ** 3 - t ** 4 / 8 + t ** 5 / 20;
  const weights = lagrangeIntegrals(POINTS, -0.5, 1.5);
  const got = weights.reduce((sum, w, j) => sum + w * f(POINTS[j]), 0);
  expect(got).toBeAllClose(F(1.5) - F(-0.5), { rel: 1e-12 });
});

test("quadrature is exact up to degree 7 and not at 8", () => {
  const error = (degree: number): number =>
    Math.abs(integrate((t) => t ** degree, 0, 2) - 2 ** (degree + 1) / (degree + 1));
  for (let degree = 0; degree <= 7; degree++) expect(error(degree)).toBeLessThan(1e-12);
  expect(error(8)).toBeGreaterThan(1e-3);
});
