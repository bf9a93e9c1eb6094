import { describe, expect, test } from "vitest";
import { linearBetas, sigmaOfTimestep, timestepSigmas } from "../betas.ts";
import { curveOf, interpolated, onCurve, timesOf } from "./curves.ts";

test("a config asks for one curve or none", () => {
  expect(curveOf({})).toBeUndefined();
  expect(curveOf({ use_karras_sigmas: true })).toBe("karras");
  expect(curveOf({ use_exponential_sigmas: true })).toBe("exponential");
  expect(curveOf({ use_beta_sigmas: true })).toBe("beta");
  expect(curveOf({ use_lu_lambdas: true })).toBe("lu");
});

describe("a curve between two noise levels", () => {
  test("has both ends, and one step has the noisy one", () => {
    for (const curve of ["karras", "lu", "exponential", "beta"] as const) {
      const sigmas = onCurve(curve, 7, 14.6, 0.029);
      expect(sigmas).toHaveLength(7);
      expect([sigmas[0], sigmas[6]]).toBeAllClose([14.6, 0.029], { rel: 1e-12 });
      for (let i = 1; i < 7; i++) expect(sigmas[i]).toBeLessThan(sigmas[i - 1]);
      expect(onCurve(curve, 1, 14.6, 0.029)).toEqual([14.6]);
    }
  });

  test("is even in sigma^(1/rho), in ln sigma, and at quantiles", () => {
    const even = (values: readonly number[]): void => {
      const gap = values[1] - values[0];
      for (let i = 1; i < values.length; i++)
        expect(values[i] - values[i - 1]).toBeAllClose(gap, { rel: 1e-9 });
    };
    even(onCurve("karras", 6, 80, 0.002).map((sigma) => sigma ** (1 / 7)));
    even(onCurve("karras", 6, 80, 0.002, 3).map((sigma) => sigma ** (1 / 3)));
    even(onCurve("lu", 6, 80, 0.002).map(Math.log));
    // scipy: 1 + 9 beta.ppf([0.75, 0.5, 0.25], 0.6, 0.6)
    expect(onCurve("beta", 5, 10, 1)).toBeAllClose([10, 8.418876592125745, 5.5, 2.581123407874255, 1], {
      rel: 1e-9,
    });
  });
});

describe("between the entries of a table", () => {
  const table = timestepSigmas(linearBetas({ count: 10 }));

  test("a noise level is linear in the timestep, cut to the ends", () => {
    expect(interpolated(table, 3)).toBe(table[3]);
    expect(interpolated(table, 3.25)).toBeAllClose(0.75 * table[3] + 0.25 * table[4], { rel: 1e-14 });
    expect([interpolated(table, -1), interpolated(table, 10)]).toEqual([table[0], table[9]]);
    expect(interpolated(table, 9)).toBe(table[9]);
    expect(interpolated(Float64Array.of(0.5), 0)).toBe(0.5);
  });

  test("a time is linear in ln sigma, cut to the ends", () => {
    const [time] = timesOf([sigmaOfTimestep(table, 6.4)], table);
    expect(time).toBeAllClose(6.4, { rel: 1e-12 });
    expect(timesOf([1e-9, 1e9, table[4]], table)).toEqual([0, 9, 4]);
  });
});
