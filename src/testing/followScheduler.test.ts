import { expect, test } from "vitest";
import { checkState } from "./followScheduler.ts";
import { schedulerClasses, schedulerFile } from "./schedulerFixture.ts";
import { recordedTables } from "./schedulerTables.ts";

test("the tables of every recorded run descend, and there is a level for each call and the end", () => {
  for (const name of schedulerClasses) {
    for (const one of schedulerFile(name).cases) {
      for (const run of one.runs) {
        const { calls, sigmas, end } = recordedTables(name, one, run);
        expect(calls).toHaveLength(run.step_calls);
        expect(sigmas[0]).toBe(calls[0].sigma);
        expect(sigmas[sigmas.length - 1]).toBe(end.sigma);
        for (const { sigma, alpha } of calls) expect(sigma > 0 && alpha > 0 && alpha <= 1).toBe(true);
        for (let i = 1; i < sigmas.length; i++)
          if (!["PNDMScheduler", "EulerDiscreteScheduler"].includes(name))
            expect(sigmas[i]).toBeLessThanOrEqual(sigmas[i - 1]);
      }
    }
  }
});

test("a state off by more than its tolerance is refused", () => {
  const x = { data: Float64Array.of(1, 20), shape: [2] };
  expect(() => checkState(x, [1, 20.00019], 1e-5, "state 3")).not.toThrow();
  expect(() => checkState(x, [1, 20.00021], 1e-5, "state 3")).toThrow(/state 3\[1\]: got 20/);
  expect(() => checkState({ data: Float64Array.of(1, NaN), shape: [2] }, [1, 20], 1, "state 3")).toThrow(
    /NaN/,
  );
});
