import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";
import { scale, tensor } from "../base/tensor.ts";
import { arrayOf, metricCases } from "../testing/metricFixtures.ts";
import { drawSubsets, kernelDistance, kernelDistanceOverSubsets } from "./kid.ts";
import { gaussianDiscrepancy } from "./mmd.ts";

const options = { extractor: "test features" };

describe("kernel distance", () => {
  test.for(metricCases("kid").map((c) => [c.name, c] as const))("%s agrees with numpy", ([, c]) => {
    const x = arrayOf(c, "x");
    const y = arrayOf(c, "y");
    const whole = kernelDistance(x, y, options);
    expect([whole.unbiased, whole.biased]).toBeAllClose([c.expected.unbiased, c.expected.biased], {
      rel: 1e-11,
    });
    const subsets = kernelDistanceOverSubsets(
      x,
      y,
      c.params.subsets.map((s: { x: number[]; y: number[] }) => ({ samples: s.x, reference: s.y })),
      options,
    );
    expect(subsets.perSubset).toBeAllClose(c.expected.perSubset, { rel: 1e-11, abs: 1e-13 });
    expect([subsets.mean, subsets.std]).toBeAllClose([c.expected.mean, c.expected.std], { rel: 1e-10 });
  });

  test("of two points each in one dimension it is the sum written out", () => {
    const k = (a: number, b: number) => (a * b + 1) ** 3;
    const got = kernelDistance(tensor([1, 2], [2, 1]), tensor([0, 3], [2, 1]), options);
    const between = (k(1, 0) + k(1, 3) + k(2, 0) + k(2, 3)) / 2;
    expect(got.unbiased).toBeAllClose(k(1, 2) + k(0, 3) - between, { rel: 1e-14 });
    expect(got.biased).toBeAllClose(
      (k(1, 1) + 2 * k(1, 2) + k(2, 2) + k(0, 0) + 2 * k(0, 3) + k(3, 3)) / 4 - between,
      { rel: 1e-14 },
    );
  });

  test("subsets have no repetitions, stay in range and depend on the stream only", () => {
    const draw = () => drawSubsets(philox(5, 0), { n: 30, m: 20, size: 15, count: 3 });
    const subsets = draw();
    expect(draw()).toEqual(subsets);
    for (const { samples, reference } of subsets) {
      expect(new Set(Array.from(samples)).size).toBe(15);
      expect(Math.max(...Array.from(reference))).toBeLessThan(20);
    }
    expect(() => drawSubsets(philox(5, 0), { n: 30, m: 20, size: 21, count: 1 })).toThrow(UsageError);
  });

  test("too few rows, rows that are not there and no subsets are UsageErrors", () => {
    const x = tensor([1, 2, 3], [3, 1]);
    expect(() => kernelDistance(tensor([1], [1, 1]), x, options)).toThrow(UsageError);
    expect(() => kernelDistanceOverSubsets(x, x, [], options)).toThrow(UsageError);
    expect(() => kernelDistanceOverSubsets(x, x, [{ samples: [0, 3], reference: [0, 1] }], options)).toThrow(
      /row 3.*0 to 2/,
    );
    expect(() => kernelDistanceOverSubsets(x, x, [{ samples: [0], reference: [0, 1] }], options)).toThrow(
      /at least 2 rows/,
    );
  });
});

describe("Gaussian-kernel discrepancy", () => {
  test.for(metricCases("mmd_rbf").map((c) => [c.name, c] as const))("%s agrees with numpy", ([, c]) => {
    for (const sigma of c.params.sigmas as number[]) {
      const want = c.expected[sigma.toFixed(1)];
      const got = gaussianDiscrepancy(arrayOf(c, "x"), arrayOf(c, "y"), {
        ...options,
        sigma,
        unitLength: c.params.unitNormalise,
      });
      // Values near 1 cancel to these: abs is the rounding of the sums.
      expect([got.biased, got.unbiased]).toBeAllClose([want.biased, want.unbiased], { abs: 1e-14 });
      expect(got.cmmd).toBeAllClose(want.cmmd, { abs: 1e-11 });
    }
  });

  test("two far clusters have biased value 2, and the width counts in units of the features", () => {
    const x = tensor([0, 0, 0, 0], [2, 2]);
    const y = tensor([1e3, 0, 1e3, 0], [2, 2]);
    expect(gaussianDiscrepancy(x, y, { ...options, sigma: 1 }).biased).toBe(2);
    const a = tensor([0, 1, 2], [3, 1]);
    const b = tensor([1, 4], [2, 1]);
    expect(gaussianDiscrepancy(scale(5, a), scale(5, b), { ...options, sigma: 10 }).unbiased).toBeAllClose(
      gaussianDiscrepancy(a, b, { ...options, sigma: 2 }).unbiased,
      { rel: 1e-14 },
    );
  });

  test("sigma 0 and a row with no direction are UsageErrors", () => {
    const x = tensor([1, 0, 0, 0], [2, 2]);
    expect(() => gaussianDiscrepancy(x, x, { ...options, sigma: 0 })).toThrow(UsageError);
    expect(() => gaussianDiscrepancy(x, x, { ...options, sigma: 1, unitLength: true })).toThrow(
      /row 1 is all zeros/,
    );
  });
});
