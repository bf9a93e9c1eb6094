import { describe, expect, test } from "vitest";
import { roundHalfEven } from "../sigmas.ts";
import type { Spacing } from "../sigmas.ts";
import { schedulerText } from "../../testing/schedulerFixture.ts";
import { linspace, spacedTimesteps, spacedTimestepsAboveLowest } from "./spacing.ts";

interface Row {
  readonly class: string;
  readonly timestep_spacing: Spacing;
  readonly steps_offset: number;
  readonly num_inference_steps: number;
  readonly timesteps: readonly number[];
}

const rows = JSON.parse(schedulerText("spacing.json")) as readonly Row[];

describe("the tables of spacing.json", () => {
  const of = (name: string) => rows.filter((row) => row.class === name);
  const spec = (row: Row) => ({
    spacing: row.timestep_spacing,
    steps: row.num_inference_steps,
    count: 1000,
    offset: row.steps_offset,
  });

  test("there are some of each class", () => {
    for (const name of ["DDIM", "PNDM", "EulerDiscrete", "DPMSolverMultistep"])
      expect(of(`${name}Scheduler`).length).toBeGreaterThan(10);
  });

  test("n points, rounded (DDIM): exact", () => {
    for (const row of of("DDIMScheduler"))
      expect(spacedTimesteps(spec(row)).map(roundHalfEven)).toEqual(row.timesteps);
  });

  test("n points with fractions (Euler): within 1e-4", () => {
    for (const row of of("EulerDiscreteScheduler"))
      expect(spacedTimesteps(spec(row))).toBeAllClose(row.timesteps, { abs: 1e-4 });
  });

  test("n + 1 points without the lowest (DPM-Solver): exact", () => {
    for (const row of of("DPMSolverMultistepScheduler"))
      expect(spacedTimestepsAboveLowest(spec(row))).toEqual(row.timesteps);
  });
});

describe("one step", () => {
  test("linspace is timestep 0 of n points, and the last one where the lowest is left out", () => {
    expect(spacedTimesteps({ spacing: "linspace", steps: 1, count: 1000 })).toEqual([0]);
    expect(spacedTimestepsAboveLowest({ spacing: "linspace", steps: 1, count: 1000 })).toEqual([999]);
  });

  test("trailing starts from pure noise", () => {
    expect(spacedTimesteps({ spacing: "trailing", steps: 1, count: 1000 })).toEqual([999]);
    expect(spacedTimestepsAboveLowest({ spacing: "trailing", steps: 1, count: 1000 })).toEqual([999]);
  });
});

test("trailing has one entry more, -1, for 62 numbers of steps up to 1000", () => {
  const accidents = Array.from({ length: 1000 }, (_, i) => i + 1).filter(
    (steps) => spacedTimesteps({ spacing: "trailing", steps, count: 1000 }).length !== steps,
  );
  expect(accidents).toHaveLength(62);
  expect(accidents.slice(0, 5)).toEqual([61, 103, 121, 122, 201]);
  for (const steps of accidents)
    expect(spacedTimesteps({ spacing: "trailing", steps, count: 1000 }).slice(-1)).toEqual([-1]);
});

test("trailing counts down by its first gap as numpy does, which decides halves", () => {
  // numpy: np.arange(999, 0, -999 / 996).round()[498] is 499; 999 - 498 (999 / 996) rounds to 500.
  expect(spacedTimesteps({ spacing: "trailing", steps: 996, count: 999 })[498]).toBe(498);
});

test("a cut at the noisy end moves the start, not the gap of trailing", () => {
  const cut = { steps: 5, count: 1000, last: 900 };
  expect(spacedTimestepsAboveLowest({ ...cut, spacing: "trailing" })).toEqual([899, 699, 499, 299, 99]);
  expect(spacedTimestepsAboveLowest({ ...cut, spacing: "leading" })).toEqual([750, 600, 450, 300, 150]);
  expect(spacedTimestepsAboveLowest({ ...cut, spacing: "linspace" })).toEqual([899, 719, 539, 360, 180]);
});

test("linspace ends exactly at both ends", () => {
  expect(linspace(1, 0.001, 7)[6]).toBe(0.001);
  expect(linspace(0, 1, 5)).toEqual([0, 0.25, 0.5, 0.75, 1]);
  expect(linspace(3, 9, 1)).toEqual([3]);
});
