import { expect, test } from "vitest";
import { timeLeft, weightOf } from "./schedules.ts";
import type { WeightSpec } from "./schedules.ts";
import type { WeightSchedule } from "./weight.ts";

const at = (spec: WeightSpec, sigma: number, off = 1): number =>
  (weightOf(spec, off) as WeightSchedule).at(sigma, 0) as number;

const shapes: readonly WeightSpec[] = [
  { kind: "linear", weight: 4 },
  { kind: "cosine", weight: 4 },
  { kind: "beta", weight: 4, a: 2, b: 2 },
  { kind: "beta", weight: 4, a: 3.5, b: 1.25 },
];

test.each(shapes)("%o has its weight as the mean over the time of the cosine schedule", (spec) => {
  const n = 20000;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += at(spec, Math.tan(((1 - (i + 0.5) / n) * Math.PI) / 2)) / n;
  expect(mean).toBeAllClose(4, { rel: 1e-5 });
});

test("linear and cosine begin off in pure noise; beta is off at both ends", () => {
  for (const spec of shapes) expect(at(spec, 1e12)).toBeAllClose(1, { abs: 1e-9 });
  expect(at({ kind: "beta", weight: 4, a: 2, b: 2 }, 0)).toBe(1);
  expect(at({ kind: "linear", weight: 4 }, 0)).toBe(7);
  expect(timeLeft(1)).toBeAllClose(0.5, { abs: 1e-15 });
});

test("a scale of 0 is the weight 1", () => {
  expect(weightOf(3, 0)).toBe(4);
  expect(weightOf({ kind: "rows", weights: [0, 2] }, 0)).toEqual([1, 3]);
  for (const kind of ["linear", "cosine"] as const)
    expect(at({ kind, weight: 3 }, 0.7, 0)).toBeAllClose(at({ kind, weight: 4 }, 0.7), { abs: 1e-14 });
});

test("weights by step go on with the last", () => {
  const schedule = weightOf({ kind: "steps", weights: [5, 3] }) as WeightSchedule;
  expect([0, 1, 2, 9].map((step) => schedule.at(1, step))).toEqual([5, 3, 3, 3]);
});
