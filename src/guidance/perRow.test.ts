import { describe, expect, test } from "vitest";
import { tensor } from "../base/tensor.ts";
import { pairOf } from "../testing/pairs.ts";
import { dot, norm, perRow, rowOf, shareOfSize, standardDeviation } from "./perRow.ts";

const x = tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);

describe("perRow", () => {
  const pair = pairOf({
    x,
    strong: tensor(Float32Array.of(10, 20, 30, 40, 50, 60), [3, 2]),
    weak: tensor(Float32Array.of(-1, -2, -3, -4, -5, -6), [3, 2]),
    weight: [7, 8, 9],
  });

  test("shows each row its own predictions, x and weight, in float64", () => {
    const seen: unknown[] = [];
    perRow(pair, (row) => {
      seen.push(row);
      return row.strong;
    });
    expect(seen).toEqual([
      {
        row: 0,
        strong: Float64Array.of(10, 20),
        weak: Float64Array.of(-1, -2),
        x: Float64Array.of(1, 2),
        weight: 7,
      },
      {
        row: 1,
        strong: Float64Array.of(30, 40),
        weak: Float64Array.of(-3, -4),
        x: Float64Array.of(3, 4),
        weight: 8,
      },
      {
        row: 2,
        strong: Float64Array.of(50, 60),
        weak: Float64Array.of(-5, -6),
        x: Float64Array.of(5, 6),
        weight: 9,
      },
    ]);
  });

  test("puts what comes back in the row's place, in strong's kind and shape", () => {
    const got = perRow(pair, ({ row, strong }) => strong.map((value) => value + row));
    expect(got.shape).toEqual([3, 2]);
    expect(got.data).toEqual(Float32Array.of(10, 20, 31, 41, 52, 62));
    const double = perRow(
      { ...pair, strong: tensor(Float64Array.of(1, 2, 3, 4, 5, 6), [3, 2]) },
      ({ strong }) => strong,
    );
    expect(double.data).toBeInstanceOf(Float64Array);
  });

  test("does not let a method write to what it was given", () => {
    perRow(pair, ({ strong }) => strong.fill(0));
    expect(Array.from(pair.strong.data)).toEqual([10, 20, 30, 40, 50, 60]);
  });

  test("gives one weight to all rows where there is one", () => {
    const weights: number[] = [];
    perRow({ ...pair, weight: 2 }, ({ weight, strong }) => (weights.push(weight), strong));
    expect(weights).toEqual([2, 2, 2]);
  });
});

test("a row is a copy in float64", () => {
  const row = rowOf(x, 1);
  expect(row).toEqual(Float64Array.of(3, 4));
  row[0] = 99;
  expect(x.data[2]).toBe(3);
});

test("products, norms and spreads of small lists", () => {
  expect(dot([1, 2, 3], [4, -5, 6])).toBe(12);
  expect(dot([], [])).toBe(0);
  expect(norm([3, 4])).toBe(5);
  expect(norm([])).toBe(0);
  // statistics.stdev of Python
  expect(standardDeviation([2, 4, 4, 4, 5, 5, 7, 9])).toBeAllClose(2.138089935299395, { rel: 1e-15 });
  expect(standardDeviation([3, 3, 3])).toBe(0);
  expect(standardDeviation([1])).toBeNaN();
});

test("a spread does not change with the mean, and grows with the values", () => {
  const values = [0.3, -1.2, 2.5, 0.7, 1.1];
  const spread = standardDeviation(values);
  expect(standardDeviation(values.map((v) => v + 5))).toBeAllClose(spread, { rel: 1e-14 });
  expect(standardDeviation(values.map((v) => -3 * v))).toBeAllClose(3 * spread, { rel: 1e-14 });
});

describe("the factor that brings a share to a size", () => {
  test("is wanted/got for all of it, 1 for nothing, between them in a straight line", () => {
    expect(shareOfSize(1, 6, 3)).toBe(2);
    expect(shareOfSize(0, 6, 3)).toBe(1);
    expect(shareOfSize(0.25, 6, 3)).toBe(1.25);
  });

  test("is 1 where there is no size to divide by", () => {
    expect(shareOfSize(1, 6, 0)).toBe(1);
    expect(shareOfSize(0.7, 0, 0)).toBe(1);
    expect(shareOfSize(0.7, NaN, 1)).toBe(1);
  });
});
