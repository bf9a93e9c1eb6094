import { expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";
import type { Tensor } from "../base/tensor.ts";
import { map, rows, scale, tensor } from "../base/tensor.ts";
import { arrayOf, metricCases } from "../testing/metricFixtures.ts";
import { energyDistance } from "./energyDistance.ts";

const options = { extractor: "coordinates" };

function normals(seed: number, n: number, d: number): Tensor {
  const data = new Float64Array(n * d);
  philox(seed, 0).fillNormal(data);
  return { data, shape: [n, d] };
}

test.for(metricCases("energy_distance").map((c) => [c.name, c] as const))("%s agrees with numpy", ([, c]) => {
  const got = energyDistance(arrayOf(c, "x"), arrayOf(c, "y"), options);
  expect([got.value, got.unbiased]).toBeAllClose([c.expected.biased, c.expected.unbiased], { rel: 1e-12 });
});

test("between two points each it is the sum written out", () => {
  // Between: 5, 4, 3, 4 in 3-4-5 triangles and a side; within: 3 and 4.
  const x = tensor([0, 0, 3, 0], [2, 2]);
  const y = tensor([0, 4, 0, 8], [2, 2]);
  const between = (2 * (4 + 8 + 5 + Math.sqrt(9 + 64))) / 4;
  const got = energyDistance(x, y, options);
  expect(got.unbiased).toBeAllClose(between - 3 - 4, { rel: 1e-14 });
  expect(got.value).toBeAllClose(between - (3 + 4) / 2, { rel: 1e-14 });
});

test("between N(0, 1) and N(m, 1) it is the closed form within its standard error", () => {
  // E|N(m, 2)| = 2 / sqrt(pi) exp(-m^2 / 4) + m erf(m / 2); m = 1: erf(1/2) = 0.5204998778.
  const folded = (2 / Math.sqrt(Math.PI)) * Math.exp(-1 / 4) + 0.5204998778;
  const want = 2 * folded - 4 / Math.sqrt(Math.PI);
  const shifted = map((value) => value + 1, normals(2, 4000, 1));
  expect(energyDistance(normals(1, 4000, 1), shifted, options).unbiased).toBeAllClose(want, { rel: 0.1 });
});

test("between fresh samples of one distribution: value is about 2 E|X - X'| / n, unbiased about 0", () => {
  const n = 1000;
  const got = Array.from({ length: 6 }, (_, i) =>
    energyDistance(normals(2 * i + 10, n, 2), normals(2 * i + 11, n, 2), options),
  );
  const mean = (pick: (g: (typeof got)[0]) => number) =>
    got.reduce((sum, g) => sum + pick(g), 0) / got.length;
  const spread = Math.sqrt(Math.PI); // E|X - X'| of the standard normal in the plane
  expect(mean((g) => g.value)).toBeAllClose((2 * spread) / n, { rel: 0.35 });
  expect(Math.abs(mean((g) => g.unbiased))).toBeLessThan((0.7 * spread) / n);
  for (const { value } of got) expect(value).toBeGreaterThan(0);
});

test("equal sets are 0 apart; it scales with lengths, and neither order nor offset matter", () => {
  const x = normals(3, 203, 2);
  const y = map((value) => value * 1.3 + 0.2, normals(4, 150, 2));
  const base = energyDistance(x, y, options).value;
  expect(energyDistance(x, x, options).value).toBeAllClose(0, { abs: 1e-13 });
  expect(energyDistance(scale(3, x), scale(3, y), options).value).toBeAllClose(3 * base, { rel: 1e-11 });
  expect(energyDistance(y, x, options).value).toBeAllClose(base, { rel: 1e-11 });
  const shift = (t: Tensor) => map((value) => value + 4, t);
  expect(energyDistance(shift(x), shift(y), options).value).toBeAllClose(base, { rel: 1e-11 });
});

test("one sample is a UsageError", () => {
  const x = normals(1, 5, 2);
  expect(() => energyDistance(rows(x, 0, 1), x, options)).toThrow(UsageError);
});
