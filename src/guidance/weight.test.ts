import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { scaleOf, weightOf } from "./schedules.ts";
import { isOff, weightAt, weightOfRow } from "./weight.ts";

describe("a weight at a moment", () => {
  test("is the number, whatever the moment", () => {
    for (const sigma of [0.01, 1, 80])
      for (const step of [0, 5])
        for (const rows of [1, 3]) expect(weightAt(2.5, sigma, step, rows)).toBe(2.5);
  });

  test("is the list, one for each row", () => {
    expect(weightAt([1, 2, 3], 1, 0, 3)).toEqual([1, 2, 3]);
  });

  test("is what a function of the noise level and the step says", () => {
    const weight = { at: (sigma: number, step: number) => 10 * sigma + step };
    expect(weightAt(weight, 0.5, 3, 2)).toBe(8);
  });

  test("of a list of another length is refused, with both numbers", () => {
    expect(() => weightAt([1, 2], 1, 0, 3)).toThrow(UsageError);
    expect(() => weightAt([1, 2], 1, 0, 3)).toThrow("3 samples take 3 weights, or one for all, got 2");
    expect(() => weightAt([], 1, 0, 1)).toThrow("1 samples take 1 weights, or one for all, got 0");
  });
});

test("of a row: the number for all, or the row's own", () => {
  expect([0, 1, 2].map((row) => weightOfRow(4, row))).toEqual([4, 4, 4]);
  expect([0, 1, 2].map((row) => weightOfRow([4, 5, 6], row))).toEqual([4, 5, 6]);
});

describe("off", () => {
  test("is 1 for all rows, exactly", () => {
    expect([1, 1 + 1e-15, 0, -1].map((weight) => isOff(weight))).toEqual([true, false, false, false]);
    expect(isOff([1, 1, 1])).toBe(true);
    expect(isOff([1, 1, 1.5])).toBe(false);
  });

  test("of a scale is 0", () => {
    expect([0, 1, -0].map((scale) => isOff(scale, 0))).toEqual([true, false, true]);
    expect(isOff([0, 0], 0)).toBe(true);
    expect(isOff([0, 1], 0)).toBe(false);
  });
});

describe("what specs become", () => {
  const moments = [
    [80, 0],
    [1, 1],
    [0.02, 7],
  ] as const;

  test("a scale s is the weight s + 1, in every kind of schedule", () => {
    for (const spec of [
      3,
      { kind: "linear", weight: 3 },
      { kind: "cosine", weight: 3 },
      { kind: "beta", weight: 3, a: 2, b: 1 },
      { kind: "steps", weights: [0, 2, 5] },
    ] as const)
      for (const [sigma, step] of moments) {
        const scale = weightAt(scaleOf(spec), sigma, step, 1) as number;
        expect(weightAt(weightOf(spec, 0), sigma, step, 1)).toBeAllClose(1 + scale, { abs: 1e-14 });
      }
    expect(weightOf({ kind: "rows", weights: [0, 2] }, 0)).toEqual([1, 3]);
    expect(scaleOf({ kind: "rows", weights: [0, 2] })).toEqual([0, 2]);
  });

  test("a weight w by a schedule is 1 + the schedule of the scale w - 1", () => {
    for (const kind of ["linear", "cosine"] as const)
      for (const [sigma, step] of moments) {
        const weight = weightAt(weightOf({ kind, weight: 4 }), sigma, step, 1) as number;
        const scale = weightAt(scaleOf({ kind, weight: 3 }), sigma, step, 1) as number;
        expect(weight).toBeAllClose(1 + scale, { abs: 1e-14 });
      }
  });

  test("at tau 1/2, sigma 1: linear is the weight, cosine too, beta(2, 2) is half above it", () => {
    const at = (spec: Parameters<typeof weightOf>[0]) => weightAt(weightOf(spec), 1, 0, 1);
    expect(at({ kind: "linear", weight: 4 })).toBeAllClose(4, { rel: 1e-14 });
    expect(at({ kind: "cosine", weight: 4 })).toBeAllClose(4, { rel: 1e-14 });
    expect(at({ kind: "beta", weight: 4, a: 2, b: 2 })).toBeAllClose(1 + 3 * 1.5, { rel: 1e-13 });
    expect(at({ kind: "beta", weight: 4, a: 1, b: 1 })).toBeAllClose(4, { rel: 1e-13 });
  });

  test("off stays off in every schedule", () => {
    for (const kind of ["linear", "cosine"] as const)
      for (const [sigma, step] of moments)
        expect(isOff(weightAt(weightOf({ kind, weight: 1 }), sigma, step, 1))).toBe(true);
  });
});
