import { expect, test } from "vitest";
import { extrapolate } from "../combine/extrapolate.ts";
import { golden, pairOf } from "../../testing/pairs.ts";
import { rescale } from "./rescale.ts";
import type { Space } from "../spaces.ts";

const moment = pairOf();
const denoised = extrapolate(golden.strong, [{ weight: 3, denoised: golden.weak }]);

function rescaled(amount: number, space: Space, sigma = 1) {
  return rescale({ amount, space }).adjust({ ...moment, sigma, denoised }, undefined).denoised;
}

// Computed from the paper's formula by an independent implementation (torch's unbiased std), to 6 digits.
test.each([
  { amount: 0.7, want: [1.176046, 2.352091, -1.764068, 1.470057] },
  { amount: 1, want: [0.822922, 1.645844, -1.234383, 1.028653] },
])("amount $amount of CFG at weight 3", ({ amount, want }) => {
  expect(rescaled(amount, "x0")).toBeAllClose(want, { abs: 5e-7 });
});

test("amount 0 changes nothing", () => {
  expect(rescaled(0, "v")).toBe(denoised);
});

test("the space matters where x is not 0, and at x = 0 all are the same", () => {
  for (const space of ["v", "eps", "velocity"] as const) {
    expect(rescaled(0.7, space, 2.5)).toBeAllClose(rescaled(0.7, "x0"), { abs: 1e-14 });
    const x = { data: Float64Array.of(1, -2, 0.5, 3), shape: golden.strong.shape };
    const got = rescale({ amount: 0.7, space }).adjust({ ...moment, x, denoised }, undefined).denoised;
    expect(Math.abs(got.data[0] - rescaled(0.7, "x0").data[0])).toBeGreaterThan(0.01);
  }
});
