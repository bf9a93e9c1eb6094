import { beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";
import type { Tensor } from "../base/tensor.ts";
import { map, rows, scale, tensor } from "../base/tensor.ts";
import { tree } from "../data/distributions/tree.ts";
import type { Mixture } from "../diffusion/oracles/mixture.ts";
import { matrix } from "./features.ts";
import { shareNearby } from "./nearby.ts";
import type { Truth2d } from "./toy2d.ts";
import { quantile } from "../base/quantile.ts";
import { metrics2d, truth2d } from "./toy2d.ts";

describe("the tree's class A", () => {
  let mixture: Mixture;
  let truth: Truth2d;

  beforeAll(() => {
    mixture = tree().classes[0];
    const exact = mixture.sample(philox(1, 0), 8192);
    const thresholdSamples = mixture.sample(philox(2, 0), 32768);
    truth = truth2d((points) => mixture.logDensity(points, 0), exact, { thresholdSamples });
  });

  test("the 1% quantile of its log density is -1.86, give or take the spread of an estimate", () => {
    // 2^20 exact samples: -1.864. Sixteen estimates from 65,536: -1.92 to -1.82, so about 0.045 for 32,768.
    expect(truth.outlierBelow).toBeAllClose(-1.864, { abs: 0.14 });
  });

  test("8,192 fresh exact samples have the known metrics of a resample", () => {
    const got = metrics2d(mixture.sample(philox(3, 0), 8192), truth);
    // An independent numpy computation, six pairs: log density 1.346 to 1.354, outliers .0092 to .0104, recall .9969 to
    // .9988, precision .9972 to .9984, energy distance .00006 to .0003; its mean is E|X - X'| (1/n + 1/m) = .00011.
    expect(got.meanLogDensity).toBeAllClose(1.35, { abs: 0.06 });
    expect(got.outlierRate).toBeAllClose(0.0098, { abs: 0.0035 });
    expect(got.recall).toBeAllClose(0.998, { abs: 0.002 });
    expect(got.precision).toBeAllClose(0.998, { abs: 0.002 });
    expect(got.energyDistance).toBeGreaterThan(0.00004);
    expect(got.energyDistance).toBeLessThan(0.0006);
    expect(got).toMatchObject({
      n: { samples: 8192, reference: 8192 },
      radius: 0.02,
      metric: "2-D metrics (coordinates)",
    });
  });

  test("samples drawn together lose recall and not precision; samples spread out gain outliers", () => {
    const fresh = mixture.sample(philox(4, 0), 8192);
    const together = metrics2d(
      rows({ ...fresh, data: fresh.data.filter((_, i) => fresh.data[i - (i % 2)] > 0.4) }, 0, 2000),
      truth,
    );
    expect(together.recall).toBeLessThan(0.6);
    expect(together.precision).toBeGreaterThan(0.99);
    expect(together.energyDistance).toBeGreaterThan(0.05);
    const spread = metrics2d(scale(1.1, fresh), truth);
    expect(spread.outlierRate).toBeGreaterThan(0.1);
    expect(spread.meanLogDensity).toBeLessThan(0);
  });
});

describe("definitions", () => {
  const truth: Truth2d = {
    logDensity: (points) => Array.from({ length: points.shape[0] }, (_, i) => -points.data[2 * i]),
    exact: tensor([0, 0, 1, 0, 2, 0, 3, 0], [4, 2]),
    outlierBelow: -2,
  };

  test("by hand, on a line in the plane", () => {
    const got = metrics2d(tensor([0, 0.25, 1, 0.25, 2, -0.5, 7, 0, 8, 0], [5, 2]), truth, { radius: 0.25 });
    expect(got.meanLogDensity).toBe(-18 / 5);
    expect(got.outlierRate).toBe(2 / 5); // -2 itself is not below -2
    expect(got.recall).toBe(2 / 4);
    expect(got.precision).toBe(2 / 5);
  });

  test("the threshold is the quantile of log density over the samples for it, the exact ones by default", () => {
    expect(truth2d(truth.logDensity, truth.exact, { outlierShare: 0.5 }).outlierBelow).toBe(-1.5);
    const thresholdSamples = tensor([5, 0, 7, 0], [2, 2]);
    expect(truth2d(truth.logDensity, truth.exact, { thresholdSamples, outlierShare: 0 }).outlierBelow).toBe(
      -7,
    );
  });

  test("a quantile is linear between order statistics", () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect([quantile([4, 1, 3], 0), quantile([4, 1, 3], 1)]).toEqual([1, 4]);
    expect(
      quantile(
        Array.from({ length: 101 }, (_, i) => i),
        0.01,
      ),
    ).toBeAllClose(1, { rel: 1e-14 });
  });

  test("too few samples, another width, values that are not finite and a radius of 0 are UsageErrors", () => {
    const bad: [Tensor, RegExp][] = [
      [tensor([0, 0], [1, 2]), /at least 2/],
      [tensor([0, 0, 0, 0, 0, 0], [2, 3]), /plane.*\[2, 3\]/],
      [tensor([0, 0, 0, NaN], [2, 2]), /row 1 holds NaN/],
    ];
    for (const [samples, message] of bad) {
      expect(() => metrics2d(samples, truth)).toThrow(UsageError);
      expect(() => metrics2d(samples, truth)).toThrow(message);
    }
    expect(() => metrics2d(truth.exact, truth, { radius: 0 })).toThrow(UsageError);
    expect(() => quantile([1], 1.5)).toThrow(UsageError);
    expect(() => quantile([], 0.5)).toThrow(UsageError);
  });
});

test("the share of points near others, by cells, is that of looking at every pair", () => {
  const points = (seed: number, n: number) => {
    const data = new Float64Array(2 * n);
    philox(seed, 0).fillNormal(data);
    // Whole quarters: many pairs lie exactly on the radius, and negative coordinates are common.
    return matrix(
      map((value) => Math.round(value * 12) / 4, { data, shape: [n, 2] }),
      "points",
      1,
    );
  };
  const x = points(1, 150);
  const y = points(2, 40);
  for (const radius of [0.1, 0.25, 0.75, 40]) {
    let near = 0;
    for (let i = 0; i < x.n; i++) {
      let found = false;
      for (let j = 0; j < y.n; j++) {
        const dx = x.data[2 * i] - y.data[2 * j];
        const dy = x.data[2 * i + 1] - y.data[2 * j + 1];
        if (dx * dx + dy * dy <= radius * radius) found = true;
      }
      if (found) near++;
    }
    expect(shareNearby(x, y, radius)).toBe(near / x.n);
  }
});
