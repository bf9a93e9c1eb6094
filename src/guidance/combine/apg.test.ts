import { expect, test } from "vitest";
import { combineSteps, golden, pairOf } from "../../testing/pairs.ts";
import { apg } from "./apg.ts";
import { extrapolate } from "./extrapolate.ts";

// Computed from the paper's formula by an independent implementation, to 6 digits.
test.each([
  { eta: 0, cap: Infinity, want: [0.72, 1.44, -1.72, 1.86] },
  { eta: 0, cap: 1, want: [0.844684, 1.689368, -1.399384, 1.254392] },
  { eta: 1, cap: Infinity, want: [2, 4, -3, 2.5] },
])("eta $eta, cap $cap at weight 3", ({ eta, cap, want }) => {
  const [denoised] = combineSteps(apg({ eta, cap, momentum: 0 }), [pairOf()]);
  expect(denoised).toBeAllClose(want, { abs: 5e-7 });
});

test("momentum adds beta times the difference of the step before", () => {
  const pairs = [pairOf(), pairOf({ step: 1 })];
  const [first, second] = combineSteps(apg({ eta: 0, cap: 2.5, momentum: -0.5 }), pairs);
  expect(first).toBeAllClose([0.72, 1.44, -1.72, 1.86], { abs: 1e-12 });
  expect(second).toBeAllClose([0.86, 1.72, -1.36, 1.18], { abs: 1e-12 });
});

test("eta 1 without cap and momentum is extrapolation, for every weight", () => {
  for (const weight of [-1, 0, 0.5, 2, 15]) {
    const [denoised] = combineSteps(apg({ eta: 1, cap: Infinity, momentum: 0 }), [pairOf({ weight })]);
    expect(denoised).toBeAllClose(extrapolate(golden.strong, [{ weight, denoised: golden.weak }]), {
      abs: 1e-14,
    });
  }
});

test("a strong prediction of zeros has no direction to project on", () => {
  const strong = { data: new Float64Array(4), shape: [1, 1, 2, 2] };
  const [denoised] = combineSteps(apg({ eta: 0, cap: Infinity, momentum: 0 }), [pairOf({ strong })]);
  expect(denoised).toBeAllClose([-1, -2, 0, 1], { abs: 1e-15 });
});
