import { describe, expect, test } from "vitest";
import { samplerFixture } from "../testing/samplerFixture.ts";
import { linearBetas, timestepSigmas } from "./betas.ts";
import { exponential, fromBetas, karras, keptTimesteps, pairs } from "./sigmas.ts";

describe("golden values", () => {
  const { sigmas } = samplerFixture("common");

  test.each(["karras10", "karras5", "karras-rho5", "one"])(
    "karras: table %s (k-diffusion, float64)",
    (name) => {
      const { spec, values } = sigmas[name];
      expect(karras({ steps: spec.n, min: spec.sigma_min, max: spec.sigma_max, rho: spec.rho })).toBeAllClose(
        values,
        { rel: 1e-12 },
      );
    },
  );

  test("exponential: table exponential8 (k-diffusion, float64)", () => {
    const { spec, values } = sigmas.exponential8;
    expect(exponential({ steps: spec.n, min: spec.sigma_min, max: spec.sigma_max })).toBeAllClose(values, {
      rel: 1e-12,
    });
  });

  test("karras with its defaults, 18 steps", () => {
    expect(karras({ steps: 18 })).toBeAllClose(
      [
        80, 57.585985, 40.785574, 28.374585, 19.352453, 12.910082, 8.4009353, 5.3151945, 3.2568215, 1.9233398,
        1.0881706, 0.58534812, 0.29644228, 0.13951647, 0.059947311, 0.022934518, 0.00752802, 0.002, 0,
      ],
      { rel: 5e-8 },
    );
  });

  test("karras from 5, as the two-dimensional tree is sampled", () => {
    expect(karras({ steps: 5, max: 5 })).toBeAllClose([5, 1.3770251, 0.283081911, 0.0365471213, 0.002, 0], {
      rel: 3e-9,
    });
  });

  test("exponential with its defaults, 5 steps", () => {
    expect(exponential({ steps: 5 })).toBeAllClose([80, 5.65685425, 0.4, 0.0282842712, 0.002, 0], {
      rel: 2e-9,
    });
  });
});

test("one step starts at the largest sigma", () => {
  expect(karras({ steps: 1 })).toBeAllClose([80, 0], { rel: 1e-14 });
  expect(exponential({ steps: 1 })).toBeAllClose([80, 0], { rel: 1e-14 });
});

test("karras with rho 1 is equally spaced and with a large rho approaches exponential", () => {
  expect(karras({ steps: 3, min: 1, max: 5, rho: 1 })).toBeAllClose([5, 3, 1, 0], { rel: 1e-15 });
  expect(karras({ steps: 9, rho: 1e6 })).toBeAllClose(exponential({ steps: 9 }), { rel: 1e-4 });
});

describe("fromBetas", () => {
  test("with all steps keeps every noise level of the schedule, descending", () => {
    const table = timestepSigmas(linearBetas({ count: 20 }));
    for (const spacing of ["trailing", "leading", "linspace"] as const) {
      expect(fromBetas(linearBetas({ count: 20 }), { spacing })).toEqual([...Array.from(table).reverse(), 0]);
    }
  });

  test("keeps the timesteps that its spacing names", () => {
    expect(keptTimesteps(1000, 5, "trailing")).toEqual([999, 799, 599, 399, 199]);
    expect(keptTimesteps(1000, 5, "leading")).toEqual([800, 600, 400, 200, 0]);
    expect(keptTimesteps(1000, 5, "linspace")).toEqual([999, 749, 500, 250, 0]);
    // Halves round to the even number, as in numpy: 937.5 to 938, 812.5 to 812.
    expect(keptTimesteps(1000, 16, "trailing").slice(0, 4)).toEqual([999, 937, 874, 811]);
  });

  test("refuses more steps than timesteps and an unknown spacing", () => {
    expect(() => fromBetas(linearBetas(), { steps: 1001 })).toThrow(
      "from 1 to the schedule's 1000 timesteps, got 1001",
    );
    expect(() => keptTimesteps(10, 5, "random" as never)).toThrow(
      'no spacing is called "random"; there are: trailing, leading, linspace',
    );
  });
});

test("pairs lists index, sigma and next of every step", () => {
  expect([...pairs([3, 1, 0])]).toEqual([
    [0, 3, 1],
    [1, 1, 0],
  ]);
});

test.each([[[1]], [[1, 2, 0]], [[1, 1, 0]], [[1, -1]], [[NaN, 0]], [[1, NaN]], [[Infinity, 0]]])(
  "the grid %j is refused",
  (sigmas) => {
    expect(() => [...pairs(sigmas)]).toThrow("sigmas");
  },
);

test("a grid of no steps, without a positive minimum, with its ends swapped or with rho 0 is refused", () => {
  expect(() => karras({ steps: 0 })).toThrow("steps is a whole number, 1 or more, got 0");
  expect(() => exponential({ steps: 3, min: 0 })).toThrow("0 < min < max, got min 0");
  expect(() => karras({ steps: 3, min: 5, max: 1 })).toThrow("0 < min < max, got min 5 and max 1");
  expect(() => karras({ steps: 3, rho: 0 })).toThrow("rho is a number above 0");
});
