import { expect, test } from "vitest";
import { everywhere, inInterval } from "./interval.ts";

test("an interval excludes its low end and includes its high end", () => {
  const interval = { low: 0.28, high: 1.61 };
  expect([0.28, 0.28 + 1e-12, 1, 1.61, 1.61 + 1e-12].map((sigma) => inInterval(sigma, interval))).toEqual([
    false,
    true,
    true,
    true,
    false,
  ]);
});

test("neighbouring intervals share no noise level and miss none", () => {
  const intervals = [
    { low: 0, high: 0.5 },
    { low: 0.5, high: 2 },
    { low: 2, high: Infinity },
  ];
  for (const sigma of [1e-300, 0.25, 0.5, 0.75, 2, 3, 80, Infinity]) {
    expect(intervals.filter((interval) => inInterval(sigma, interval))).toHaveLength(1);
  }
});

test("everywhere holds every noise level above 0, and not 0", () => {
  expect([0, Number.MIN_VALUE, 1, 1e300, Infinity].map((sigma) => inInterval(sigma, everywhere))).toEqual([
    false,
    true,
    true,
    true,
    true,
  ]);
});
