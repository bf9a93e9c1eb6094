import { describe, expect, test } from "vitest";
import {
  NOISE_ALONE,
  abarSigma,
  alphaBars,
  betas,
  cosineBetas,
  givenBetas,
  laplaceBetas,
  linearBetas,
  rescaleZeroSnr,
  scaledLinearBetas,
  sigmaOfTimestep,
  sigmoidBetas,
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

describe("further schedules", () => {
  test("sigmoid betas (numpy, float64)", () => {
    expect(at(alphaBars(sigmoidBetas()), [0, 499, 999])).toBeAllClose(
      [0.9998507947991829, 0.30193105660219516, 3.968181990533219e-5],
      { rel: 1e-9 },
    );
    const values = sigmoidBetas({ count: 101, start: 0.01, end: 0.05 });
    // The curve is its own mirror image about its middle.
    expect(values[50]).toBeAllClose(0.03, { rel: 1e-14 });
    for (let i = 0; i < 50; i++) expect(values[i] + values[100 - i]).toBeAllClose(0.06, { rel: 1e-14 });
  });

  test("laplace betas (numpy, float64)", () => {
    expect(at(alphaBars(laplaceBetas()), [0, 499, 999])).toBeAllClose(
      [0.978846242799588, 0.7074601578004677, 0.03162277660168381],
      { rel: 1e-9 },
    );
    for (const beta of laplaceBetas({ max: 0.01 })) expect(beta > 0 && beta <= 0.01).toBe(true);
  });

  test("given betas are taken as they are, or refused by number", () => {
    expect(givenBetas({ values: [0.1, 0.5, 1] })).toEqual(Float64Array.of(0.1, 0.5, 1));
    expect(() => givenBetas({ values: [0.1, 1.2] })).toThrow(
      "beta 1 is 1.2: a beta is above 0 and at most 1",
    );
    expect(() => givenBetas({ values: [NaN] })).toThrow("beta 0 is NaN");
    expect(() => givenBetas({ values: [] })).toThrow("at least one");
  });

  test("as data they are the same", () => {
    expect(betas({ kind: "sigmoid", end: 0.03 })).toEqual(sigmoidBetas({ end: 0.03 }));
    expect(betas({ kind: "laplace", count: 50 })).toEqual(laplaceBetas({ count: 50 }));
    expect(betas({ kind: "given", values: [0.2] })).toEqual(Float64Array.of(0.2));
    expect(betas({ kind: "scaled-linear", zeroSnr: true })).toEqual(rescaleZeroSnr(scaledLinearBetas()));
  });
});

describe("zero terminal SNR", () => {
  test("leaves the first abar, makes the last 0, and moves sqrt(abar) linearly (numpy, float64)", () => {
    const before = alphaBars(scaledLinearBetas()).map(Math.sqrt);
    const after = alphaBars(rescaleZeroSnr(scaledLinearBetas())).map(Math.sqrt);
    expect(at(after, [0, 499, 998]).map((r) => r * r)).toBeAllClose(
      [0.99915, 0.24235916655614523, 1.9678880566212916e-7],
      { rel: 1e-9 },
    );
    expect(after[999]).toBe(0);
    const slopes = [100, 400, 900].map((i) => (after[i] - after[0]) / (before[i] - before[0]));
    expect(slopes).toBeAllClose([slopes[0], slopes[0], slopes[0]], { rel: 1e-10 });
  });

  test("its last noise level is finite, and stands for noise alone", () => {
    const sigmas = timestepSigmas(rescaleZeroSnr(linearBetas()));
    expect(sigmas[999]).toBe(NOISE_ALONE);
    expect(sigmas[998]).toBeLessThan(20_000);
    expect(abarSigma(0)).toBe(1e8);
    expect(abarSigma(0.2)).toBe(2);
    // A Float32Array cannot tell what is left of x0.
    expect(Math.fround(Math.fround(1 / NOISE_ALONE) * 3 + 1)).toBe(1);
  });

  test("wants two betas", () => {
    expect(() => rescaleZeroSnr([0.1])).toThrow("two betas or more, got 1");
  });
});
