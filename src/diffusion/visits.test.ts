import { describe, expect, test } from "vitest";
import { gaussian } from "./oracles/gaussian.ts";
import { samplers } from "./samplers/index.ts";
import { karras } from "./sigmas.ts";
import { type Visit, visitsOf } from "./visits.ts";

const fixed = Object.values(samplers).filter(({ evaluations }) => evaluations(8) !== null);

describe.each(fixed)("$name", ({ run, evaluations }) => {
  test("visits as often as its catalogue says", async () => {
    for (const steps of [2, 3, 8])
      expect(await visitsOf(run, karras({ steps }))).toHaveLength(evaluations(steps)!);
  });

  test("visits the same noise levels in the same steps whatever is predicted", async () => {
    const sigmas = karras({ steps: 8 });
    const seen: Visit[] = [];
    const { denoise } = gaussian({ mean: 0.5, std: 0.6 });
    const steps = run(
      (x, sigma, step = 0) => {
        seen.push({ sigma, step });
        return Promise.resolve(denoise(x, sigma));
      },
      { data: Float64Array.of(31), shape: [1, 1] },
      sigmas,
      { noise: (index, shape) => ({ data: Float64Array.of(Math.sin(index + 1)), shape }) },
    );
    for (let step = await steps.next(); !step.done; step = await steps.next());
    expect(await visitsOf(run, sigmas)).toEqual(seen);
  });
});

test("churn moves the noise levels of the visits", async () => {
  const sigmas = karras({ steps: 4 });
  const visits = await visitsOf(samplers.euler.run, sigmas, { churn: 2 });
  expect(visits.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
  expect(visits[0].sigma).toBeGreaterThan(sigmas[0]);
});
