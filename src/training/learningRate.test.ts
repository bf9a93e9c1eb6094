import { expect, test } from "vitest";
import { learningRateAt } from "./learningRate.ts";

test("a warm-up of n steps rises linearly and reaches the learning rate at its n-th step", () => {
  const rates = [0, 1, 2, 3, 4, 5].map((step) =>
    learningRateAt({ kind: "constant", warmUpSteps: 4 }, 2, step, 100),
  );
  expect(rates).toBeAllClose([0.5, 1, 1.5, 2, 2, 2], { rel: 1e-15 });
});

test("the cosine is 1 after the warm-up, the mean of its ends half way, and its final value at the end", () => {
  const schedule = { kind: "cosine", warmUpSteps: 20, final: 0.1 } as const;
  expect([20, 70, 120, 200].map((step) => learningRateAt(schedule, 3, step, 120))).toBeAllClose(
    [3, 1.65, 0.3, 0.3],
    {
      rel: 1e-12,
    },
  );
});

test("the inverse square root is flat up to its reference and halves at four times of it", () => {
  const schedule = { kind: "inverse-sqrt", warmUpSteps: 0, referenceSteps: 512 } as const;
  const rates = [0, 512, 1024, 2048, 4096].map((step) => learningRateAt(schedule, 0.01, step, 4096));
  expect(rates).toBeAllClose([0.01, 0.01, 0.01 / Math.SQRT2, 0.005, 0.01 / Math.sqrt(8)], { rel: 1e-12 });
});
