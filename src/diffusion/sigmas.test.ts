import { describe, expect, test } from "vitest";
import { samplerFixture } from "../testing/samplerFixture.ts";
import { linearBetas, timestepSigmas } from "./betas.ts";
import {
  betaSpaced,
  exponential,
  fromBetas,
  karras,
  keptTimesteps,
  pairs,
  polyexponential,
  roundHalfEven,
  vp,
} from "./sigmas.ts";

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

describe("further grids", () => {
  test("polyexponential (numpy, float64), and the exponential one for rho 1", () => {
    expect(polyexponential({ steps: 5, rho: 2 })).toBeAllClose(
      [80, 0.7756909789947428, 0.028284271247461905, 0.0038784548949737153, 0.002, 0],
      { rel: 1e-13 },
    );
    expect(polyexponential({ steps: 9, min: 0.01, max: 7 })).toBeAllClose(
      exponential({ steps: 9, min: 0.01, max: 7 }),
      {
        rel: 1e-13,
      },
    );
  });

  test("vp (numpy, float64), whose abar is exp(-integral of beta)", () => {
    expect(vp({ steps: 5 })).toBeAllClose(
      [152.1669702839464, 17.04912255896805, 3.422244762572157, 0.9575264822375216, 0.010485992786702987, 0],
      { rel: 1e-12 },
    );
    const [sigma] = vp({ steps: 1, betaD: 3, betaMin: 0.5 });
    expect(1 / (1 + sigma * sigma)).toBeAllClose(Math.exp(-(0.5 + 3 / 2)), { rel: 1e-13 });
  });

  test("beta (scipy, float64), even for a = b = 1", () => {
    expect(betaSpaced({ steps: 5, min: 0.1, max: 10 })).toBeAllClose(
      [10, 8.260764251338319, 5.05, 1.8392357486616804, 0.1, 0],
      { rel: 1e-12 },
    );
    expect(betaSpaced({ steps: 5, min: 1, max: 9, a: 1, b: 1 })).toBeAllClose([9, 7, 5, 3, 1, 0], {
      rel: 1e-12,
    });
  });

  test("one step starts at the largest level", () => {
    expect(polyexponential({ steps: 1, max: 5 })).toBeAllClose([5, 0], { rel: 1e-14 });
    expect(betaSpaced({ steps: 1, max: 5 })).toBeAllClose([5, 0], { rel: 1e-14 });
  });

  test("values out of range are refused", () => {
    expect(() => polyexponential({ steps: 5, rho: 0 })).toThrow("rho is a number above 0");
    expect(() => vp({ steps: 0 })).toThrow("steps is a whole number");
    expect(() => vp({ steps: 3, end: 1 })).toThrow("an end between 0 and 1");
    expect(() => vp({ steps: 3, betaD: 0, betaMin: 0 })).toThrow("not both 0");
    expect(() => betaSpaced({ steps: 3, a: 0 })).toThrow("a and b of a Beta distribution");
    expect(() => betaSpaced({ steps: 3, min: 2, max: 1 })).toThrow("0 < min < max");
  });
});

describe("a grid's steps", () => {
  test("its last level may be repeated, no other, and 0 only once", () => {
    expect([...pairs([3, 1, 1])]).toEqual([
      [0, 3, 1],
      [1, 1, 1],
    ]);
    expect(() => [...pairs([3, 3, 1])]).toThrow("descends strictly");
    expect(() => [...pairs([3, 0, 0])]).toThrow("descends strictly");
  });

  test("halves are rounded to even", () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4999, 7].map(roundHalfEven)).toEqual([0, 2, 2, 0, -2, 2, 7]);
  });
});
