import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";
import type { Tensor } from "../base/tensor.ts";
import { concatRows, map, scale, tensor } from "../base/tensor.ts";
import { arrayOf, metricCases } from "../testing/metricFixtures.ts";
import { precisionRecall } from "./precisionRecall.ts";

const options = { extractor: "test features" };

function normals(seed: number, n: number, d: number): Tensor {
  const data = new Float32Array(n * d);
  philox(seed, 0).fillNormal(data);
  return { data, shape: [n, d] };
}

function values({ precision, recall, density, coverage }: ReturnType<typeof precisionRecall>): number[] {
  return [precision, recall, density, coverage];
}

describe("fixtures", () => {
  test.for(metricCases("precision_recall").map((c) => [c.name, c] as const))(
    "%s agrees with numpy",
    ([, c]) => {
      for (const k of c.params.k as number[]) {
        const got = precisionRecall(arrayOf(c, "fake"), arrayOf(c, "real"), { ...options, k });
        const { precision, recall, density, coverage } = c.expected[String(k)];
        expect(values(got)).toBeAllClose([precision, recall, density, coverage], { abs: 1e-15 });
      }
    },
  );
});

describe("definitions", () => {
  test("on a line, by hand: a sample on a ball's surface is inside, one just beyond is not", () => {
    // Reference 0, 1, 3 with k = 1: radii 1, 1, 2. Samples -1 (on the surface of 0's ball) and 5.5 (beyond 3's), radii 6.5.
    const got = precisionRecall(tensor([-1, 5.5], [2, 1]), tensor([0, 1, 3], [3, 1]), { ...options, k: 1 });
    expect(got.precision).toBe(1 / 2);
    expect(got.density).toBe(1 / 2);
    expect(got.coverage).toBe(1 / 3);
    expect(got.recall).toBe(1);
  });

  test("a point repeated more than k times has a ball of radius 0, which holds only its equals", () => {
    const reference = tensor([0.1, 0.2, 0.1, 0.2, 0.1, 0.2], [3, 2]);
    const samples = tensor([0.1, 0.2, 0.1, 0.2 + 1e-7], [2, 2]);
    const got = precisionRecall(samples, reference, { ...options, k: 1 });
    expect(got.precision).toBe(1 / 2);
    expect(got.density).toBe(3 / 2);
    expect(got.coverage).toBe(1);
  });

  test("equal sets have precision, recall and coverage 1", () => {
    const x = normals(1, 300, 7); // more rows than one block, and not a multiple of four
    expect(values(precisionRecall(x, x, { ...options, k: 4 })).filter((_, i) => i !== 2)).toEqual([1, 1, 1]);
  });

  test("density of equal distributions is 1 on average", () => {
    const got = precisionRecall(normals(2, 1500, 3), normals(3, 1500, 3), { ...options, k: 5 });
    expect(got.density).toBeAllClose(1, { abs: 0.05 });
  });

  test("samples from half of the modes keep precision and lose half of the recall", () => {
    const mode = (seed: number, at: number) => map((value) => value + at, normals(seed, 150, 2));
    const reference = concatRows([mode(1, 0), mode(2, 1000)]);
    const got = precisionRecall(mode(3, 0), reference, options);
    expect(got.recall).toBeGreaterThan(0.4);
    expect(got.recall).toBeLessThanOrEqual(0.5);
    expect(got.precision).toBeGreaterThan(0.85);
  });
});

test("swapping the sets swaps precision and recall; scaling both changes nothing", () => {
  const x = normals(4, 140, 3);
  const y = scale(1.4, normals(5, 90, 3));
  const there = precisionRecall(x, y, options);
  const back = precisionRecall(y, x, options);
  expect([back.precision, back.recall]).toEqual([there.recall, there.precision]);
  expect(values(precisionRecall(scale(8, x), scale(8, y), options))).toEqual(values(there));
});

test("a result says its k, its counts and its extractor", () => {
  expect(precisionRecall(normals(6, 9, 2), normals(7, 8, 2), options)).toMatchObject({
    metric: "precision and recall (test features)",
    k: 3,
    n: { samples: 9, reference: 8 },
  });
});

test("as many samples as k, and a k that is no positive integer, are UsageErrors", () => {
  expect(() => precisionRecall(normals(1, 3, 2), normals(1, 9, 2), options)).toThrow(/samples: at least 4/);
  expect(() => precisionRecall(normals(1, 9, 2), normals(1, 3, 2), options)).toThrow(/reference: at least 4/);
  for (const k of [0, 1.5, NaN]) {
    expect(() => precisionRecall(normals(1, 9, 2), normals(1, 9, 2), { ...options, k })).toThrow(UsageError);
  }
});
