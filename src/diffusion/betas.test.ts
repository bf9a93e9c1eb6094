import { describe, expect, test } from "vitest";
import {
  alphaBars,
  betas,
  cosineBetas,
  linearBetas,
  scaledLinearBetas,
  sigmaOfTimestep,
  timestepOfSigma,
  timestepSigmas,
} from "./betas.ts";

/** Values at some timesteps. */
const at = (values: Float64Array, timesteps: readonly number[]) => timesteps.map((t) => values[t]);

describe("golden values (torch and numpy, float64)", () => {
  test("linear betas 1e-4 to 0.02", () => {
    expect(at(alphaBars(linearBetas()), [0, 499, 999])).toBeAllClose([0.9999, 0.0785872429, 4.03582977e-5], {
      rel: 2e-9,
    });
    expect(at(timestepSigmas(linearBetas()), [0, 499, 999])).toBeAllClose(
      [0.0100005, 3.42413662, 157.407281],
      { rel: 5e-9 },
    );
  });

  test("scaled-linear betas of Stable Diffusion", () => {
    expect(at(alphaBars(scaledLinearBetas()), [0, 499, 999])).toBeAllClose([0.99915, 0.27766965, 0.0046601], {
      rel: 1e-6,
    });
    expect(at(timestepSigmas(scaledLinearBetas()), [0, 499, 999])).toBeAllClose(
      [0.02916716, 1.61288619, 14.61464123],
      { rel: 2e-7 },
    );
  });

  test("cosine betas cut at 0.999", () => {
    expect(at(alphaBars(cosineBetas()), [0, 499, 998])).toBeAllClose(
      [0.999958716, 0.49384359, 2.42876691e-6],
      { rel: 2e-9 },
    );
    expect(at(timestepSigmas(cosineBetas()), [0, 499, 998])).toBeAllClose([0.00642541, 1.01238956, 641.66], {
      rel: 4e-6,
    });
    expect(cosineBetas()[999]).toBe(0.999);
  });
});

test("x after all timesteps has the variance abar * var(x0) + 1 - abar", () => {
  const schedule = linearBetas({ count: 50 });
  let variance = 0.25;
  for (const beta of schedule) variance = (1 - beta) * variance + beta;
  const abar = alphaBars(schedule)[49];
  expect(variance).toBeAllClose(abar * 0.25 + 1 - abar, { rel: 1e-14 });
});

test("a whole timestep has the table's sigma and the table's sigma has the whole timestep", () => {
  const table = timestepSigmas(linearBetas());
  for (const t of [0, 1, 499, 998, 999]) {
    expect(sigmaOfTimestep(table, t)).toBe(table[t]);
    expect(timestepOfSigma(table, table[t])).toBeAllClose(t, { abs: 1e-12 });
  }
});

test("a timestep half-way has the geometric mean of its neighbours' sigmas, and back", () => {
  const table = timestepSigmas(scaledLinearBetas());
  expect(sigmaOfTimestep(table, 400.5)).toBeAllClose(Math.sqrt(table[400] * table[401]), { rel: 1e-14 });
  for (const t of [0.25, 17.125, 400.5, 998.75])
    expect(timestepOfSigma(table, sigmaOfTimestep(table, t))).toBeAllClose(t, { abs: 1e-10 });
});

test("outside the table the first and the last timestep stand in", () => {
  const table = timestepSigmas(linearBetas());
  expect(timestepOfSigma(table, 1e-3)).toBe(0);
  expect(timestepOfSigma(table, 500)).toBe(999);
  expect(sigmaOfTimestep(table, -3)).toBe(table[0]);
  expect(sigmaOfTimestep(table, 2000)).toBe(table[999]);
});

test("a schedule as data is the same schedule", () => {
  expect(betas({ kind: "linear", count: 10 })).toEqual(linearBetas({ count: 10 }));
  expect(betas({ kind: "scaled-linear" })).toEqual(scaledLinearBetas());
  expect(betas({ kind: "cosine", max: 0.5 })).toEqual(cosineBetas({ max: 0.5 }));
});

test("an unknown schedule, a count of 1.5 and a beta of 1 are refused", () => {
  expect(() => betas({ kind: "quadratic" } as never)).toThrow(
    'no beta schedule is called "quadratic"; there are: linear, scaled-linear, cosine, sigmoid, laplace, given',
  );
  expect(() => linearBetas({ count: 1.5 })).toThrow("whole number of timesteps");
  expect(() => linearBetas({ end: 1 })).toThrow("between 0 and 1");
});
