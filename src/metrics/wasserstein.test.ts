import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";
import { tensor } from "../base/tensor.ts";
import { arrayOf, metricCases } from "../testing/metricFixtures.ts";
import { randomDirections, slicedWasserstein, wasserstein1d } from "./wasserstein.ts";

const options = { extractor: "coordinates" };

describe("on a line", () => {
  test("the fixture's values agree with scipy", () => {
    for (const c of metricCases("wasserstein_1d")) {
      const [x, y, xWeights, yWeights] = ["x", "y", "wx", "wy"].map((name) => arrayOf(c, name).data);
      expect(wasserstein1d(x, y)).toBeAllClose(c.expected.w1, { rel: 1e-13 });
      expect(wasserstein1d(x, y, { order: 2 })).toBeAllClose(c.expected.w2, { rel: 1e-13 });
      // The fixture divided the weights by their sum in float32. scipy with float64 weights: 0.635998429207513.
      expect(wasserstein1d(x, y, { xWeights, yWeights })).toBeAllClose(c.expected.w1Weighted, { rel: 1e-6 });
      expect(wasserstein1d(x, y, { xWeights, yWeights })).toBeAllClose(0.635998429207513, { rel: 1e-12 });
    }
  });

  test("a shift costs its length at every order, and repeating every point changes nothing", () => {
    const x = [3, -1, 4, 1.5];
    for (const order of [1, 2, 3.5]) {
      const shifted = x.map((value) => value + 2);
      expect(wasserstein1d(x, shifted, { order })).toBeAllClose(2, { rel: 1e-14 });
      expect(wasserstein1d([...x, ...x, ...x], shifted, { order })).toBeAllClose(2, { rel: 1e-14 });
    }
  });

  test("weights are shares: a weight of 2 is a repeated point, a weight of 0 is no point", () => {
    const y = [0.3, 7];
    expect(wasserstein1d([5, 1, 9], y, { xWeights: [2, 1, 0] })).toBeAllClose(wasserstein1d([1, 5, 5], y), {
      rel: 1e-14,
    });
  });

  test("no points, points that are not finite, unusable weights and orders below 1 are UsageErrors", () => {
    expect(() => wasserstein1d([], [1])).toThrow(UsageError);
    expect(() => wasserstein1d([NaN], [1])).toThrow(/point 0 is NaN/);
    for (const xWeights of [[1], [0, 0], [1, -1], [1, NaN]]) {
      expect(() => wasserstein1d([1, 2], [1], { xWeights })).toThrow(/one weight for each/);
    }
    expect(() => wasserstein1d([1], [1], { order: 0.5 })).toThrow(/at least 1/);
  });
});

describe("sliced", () => {
  test.for(metricCases("sliced_wasserstein").map((c) => [c.name, c] as const))(
    "%s agrees with scipy",
    ([, c]) => {
      for (const order of [1, 2]) {
        const got = slicedWasserstein(arrayOf(c, "x"), arrayOf(c, "y"), arrayOf(c, "projections"), {
          ...options,
          order,
        });
        const want = c.expected[String(order)];
        expect(got.perProjection).toBeAllClose(want.perProjection, { rel: 1e-13 });
        expect(got.value).toBeAllClose(want.value, { rel: 1e-13 });
      }
    },
  );

  test("a shift by v costs the mean of |v.direction|, and 2 |v| / pi over random directions of the plane", () => {
    const x = tensor([0, 0, 1, 3, -2, 5], [3, 2]);
    const y = tensor([3, 4, 4, 7, 1, 9], [3, 2]);
    const directions = randomDirections(philox(1, 0), 2000, 2);
    const got = slicedWasserstein(x, y, directions, options);
    expect(got.perProjection[0]).toBeAllClose(Math.abs(3 * directions.data[0] + 4 * directions.data[1]), {
      abs: 1e-13,
    });
    expect(got.value).toBeAllClose(10 / Math.PI, { rel: 0.04 }); // standard error 0.011
    expect(got).toMatchObject({ n: { samples: 3, reference: 3 }, projections: 2000, order: 1 });
  });

  test("directions of another width are a UsageError", () => {
    const x = tensor([0, 0], [1, 2]);
    expect(() => slicedWasserstein(x, x, tensor([1, 0, 0], [1, 3]), options)).toThrow(UsageError);
  });
});
