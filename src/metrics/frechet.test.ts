import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";
import type { Tensor } from "../base/tensor.ts";
import { map, rows, scale, tensor } from "../base/tensor.ts";
import { arrayOf, hasArrays, metricCases } from "../testing/metricFixtures.ts";
import { frechetDistance } from "./frechet.ts";
import { featureStatistics, RunningStatistics } from "./statistics.ts";

const options = { extractor: "test features" };

function normals(seed: number, n: number, d: number, stds: readonly number[] = []): Tensor {
  const data = new Float64Array(n * d);
  philox(seed, 0).fillNormal(data);
  return { data: data.map((value, i) => value * (stds[i % d] ?? 1)), shape: [n, d] };
}

describe("fixtures", () => {
  for (const c of metricCases("fid")) {
    test.skipIf(!hasArrays(c))(
      `${c.name} agrees with numpy to 1e-12 of the traces (skipped where its arrays are not kept)`,
      () => {
        const got = frechetDistance(arrayOf(c, "x"), arrayOf(c, "y"), options);
        const abs = 1e-12 * (got.trace1 + got.trace2); // measured: at most 1e-14
        expect(got.value).toBeAllClose(c.expected.fid, { abs });
        expect(got.meanTerm).toBeAllClose(c.expected.meanTerm, { abs });
        expect([got.trace1, got.trace2]).toBeAllClose([c.expected.trace1, c.expected.trace2], { abs });
        expect(got.traceSqrt).toBeAllClose(c.expected.traceSqrt, { abs });
      },
    );
  }

  test("means and covariances are numpy's", () => {
    for (const c of metricCases("fid").filter(({ expected }) => "mean1" in expected)) {
      const x = featureStatistics(arrayOf(c, "x"), options);
      expect(x.mean).toBeAllClose(c.expected.mean1, { rel: 1e-14 });
      expect(x.covariance).toBeAllClose(c.expected.covariance1, { abs: 1e-15, rel: 1e-13 });
    }
  });
});

describe("closed forms", () => {
  test("between Gaussians with diagonal covariances it is |m1 - m2|^2 + sum (s1 - s2)^2", () => {
    const statistics = (mean: number[], stds: number[]) => ({
      ...options,
      count: 100,
      mean,
      covariance: stds.flatMap((s, i) => stds.map((_, j) => (i === j ? s * s : 0))),
    });
    const got = frechetDistance(
      statistics([1, 2, 3], [1, 0.5, 2]),
      statistics([0, 0, 5], [3, 0, 2]),
      options,
    );
    expect(got.value).toBeAllClose(1 + 4 + 4 + (4 + 0.25 + 0), { rel: 1e-14 });
  });

  test("in one dimension it is (m1 - m2)^2 + (s1 - s2)^2 of the samples", () => {
    // x: mean 2, variance 4; y: mean 3, variance 1.
    const x = tensor([0, 2, 4], [3, 1]);
    const y = tensor([2, 3, 4], [3, 1]);
    expect(frechetDistance(x, y, options).value).toBeAllClose(1 + 1, { rel: 1e-14 });
  });

  test("between covariances that do not commute, with 2x2 roots: tr (C1 C2)^(1/2) = sqrt(tr C1 C2 + 2 sqrt(det C1 C2))", () => {
    const c1 = [2, 1, 1, 3];
    const c2 = [5, -1, -1, 1];
    const trace = 2 * 5 + 2 * (1 * -1) + 3 * 1;
    const determinant = 5 * 4;
    const got = frechetDistance(
      { ...options, count: 10, mean: [0, 0], covariance: c1 },
      { ...options, count: 10, mean: [0, 0], covariance: c2 },
      options,
    );
    expect(got.traceSqrt).toBeAllClose(Math.sqrt(trace + 2 * Math.sqrt(determinant)), { rel: 1e-14 });
  });

  test("samples of two Gaussians come near the distance of the Gaussians", () => {
    const x = normals(1, 20000, 3, [1, 2, 3]);
    const y = map((value) => value + 0.5, normals(2, 20000, 3, [2, 2, 1]));
    const want = 3 * 0.25 + 1 + 0 + 4;
    expect(frechetDistance(x, y, options).value).toBeAllClose(want, { rel: 0.03 }); // standard error about 0.05
  });
});

describe("invariances", () => {
  const x = normals(3, 40, 6, [1, 2, 0.1, 4, 1, 1]);
  const y = map((value, i) => value + (i % 6), normals(4, 50, 6));

  test("a set is at distance 0 from itself, from its reversal and from itself shifted and shifted back", () => {
    const few = normals(5, 5, 30);
    for (const set of [x, few]) {
      const [n, d] = set.shape;
      const reversed = map((_, i) => set.data[(n - 1 - Math.floor(i / d)) * d + (i % d)], set);
      const { trace1 } = frechetDistance(set, set, options);
      expect(frechetDistance(set, set, options).value).toBeAllClose(0, { abs: 1e-13 * trace1 });
      expect(frechetDistance(set, reversed, options).value).toBeAllClose(0, { abs: 1e-12 * trace1 });
    }
  });

  test("scaling the features by k scales it by k^2, swapping the sets leaves it", () => {
    const base = frechetDistance(x, y, options).value;
    for (const k of [1e-3, 7]) {
      expect(frechetDistance(scale(k, x), scale(k, y), options).value).toBeAllClose(k * k * base, {
        rel: 1e-12,
      });
    }
    expect(frechetDistance(y, x, options).value).toBeAllClose(base, { rel: 1e-13 });
  });

  test("a common offset of a million leaves it", () => {
    const shift = (t: Tensor) => map((value) => value + 1e6, t);
    expect(frechetDistance(shift(x), shift(y), options).value).toBeAllClose(
      frechetDistance(x, y, options).value,
      {
        rel: 1e-9,
      },
    );
  });

  test("a feature that is always 0 changes nothing", () => {
    const widen = (t: Tensor): Tensor => {
      const data = Float64Array.from({ length: t.shape[0] * 7 }, (_, i) =>
        i % 7 === 6 ? 0 : t.data[Math.floor(i / 7) * 6 + (i % 7)],
      );
      return { data, shape: [t.shape[0], 7] };
    };
    expect(frechetDistance(widen(x), widen(y), options).value).toBeAllClose(
      frechetDistance(x, y, options).value,
      {
        rel: 1e-13,
      },
    );
  });

  test("constant sets are their squared distance apart", () => {
    const at = (value: number) => tensor(new Float64Array(8).fill(value), [4, 2]);
    expect(frechetDistance(at(1), at(4), options).value).toBe(18);
  });
});

describe("statistics", () => {
  const x = normals(6, 1300, 5, [1, 2, 3, 4, 5]);
  const whole = featureStatistics(x, options);

  test("batches and merged parts give what the whole set gives", () => {
    const left = new RunningStatistics(5, options);
    const right = new RunningStatistics(5, options);
    left.add(rows(x, 0, 1));
    left.add(rows(x, 1, 700));
    right.add(rows(x, 700, 1300));
    left.merge(right);
    left.merge(new RunningStatistics(5, options));
    const got = left.result();
    expect(got.count).toBe(1300);
    expect(got.mean).toBeAllClose(whole.mean, { abs: 1e-14 });
    expect(got.covariance).toBeAllClose(whole.covariance, { abs: 1e-13 });
  });

  test("a result is not changed by what is added later", () => {
    const running = new RunningStatistics(5, options);
    running.add(x);
    const before = running.result();
    running.add(map((value) => value + 100, x));
    expect(before.mean).toBeAllClose(whole.mean, { abs: 1e-14 });
  });

  test("stored as JSON and read back they stand for the features", () => {
    const stored = JSON.parse(
      JSON.stringify({ ...whole, mean: Array.from(whole.mean), covariance: Array.from(whole.covariance) }),
    ) as typeof whole;
    const y = normals(7, 90, 5);
    expect(frechetDistance(y, stored, options)).toEqual(frechetDistance(y, x, options));
  });
});

describe("what a result says, and what is refused", () => {
  const x = normals(8, 9, 2);

  test("the name holds the extractor, and the counts are those of the sets", () => {
    const got = frechetDistance(x, normals(9, 7, 2), { extractor: "digits-classifier" });
    expect(got.metric).toBe("Fréchet distance (digits-classifier)");
    expect(got).toMatchObject({
      extractor: "digits-classifier",
      n: { samples: 9, reference: 7 },
      dimensions: 2,
    });
  });

  test.for<[string, () => unknown, RegExp]>([
    ["one sample", () => frechetDistance(rows(x, 0, 1), x, options), /at least 2 samples.*got 1/],
    ["other widths", () => frechetDistance(x, normals(1, 9, 3), options), /2 features.*3/],
    ["not a matrix", () => frechetDistance(tensor([1, 2], [2]), x, options), /\[n, d\].*\[2\]/],
    ["NaN", () => frechetDistance(tensor([1, 2, 3, NaN], [2, 2]), x, options), /row 1 holds NaN/],
    ["no extractor", () => frechetDistance(x, x, { extractor: " " }), /name of its feature extractor/],
    [
      "statistics of another extractor",
      () => frechetDistance(x, featureStatistics(x, { extractor: "other" }), options),
      /"other".*"test features"/,
    ],
    [
      "statistics of one sample",
      () =>
        frechetDistance(
          { ...options, count: 1, mean: [0], covariance: [1] },
          tensor([1, 2], [2, 1]),
          options,
        ),
      /hold 1 samples/,
    ],
    [
      "a covariance of another size",
      () => frechetDistance({ ...options, count: 5, mean: [0, 1], covariance: [1] }, x, options),
      /2 means and 1 covariances/,
    ],
    [
      "a covariance with a negative direction",
      () => frechetDistance({ ...options, count: 5, mean: [0, 0], covariance: [1, 2, 2, 1] }, x, options),
      /positive semi-definite/,
    ],
    [
      "a covariance with NaN",
      () => frechetDistance({ ...options, count: 5, mean: [0, 0], covariance: [1, NaN, NaN, 1] }, x, options),
      /positive semi-definite/,
    ],
    [
      "merging other features",
      () => new RunningStatistics(2, options).merge(new RunningStatistics(3, options)),
      /cannot merge/,
    ],
    ["a result of nothing", () => new RunningStatistics(2, options).result(), /at least 2 samples, got 0/],
  ])("%s is a clear UsageError", ([, act, message]) => {
    expect(act).toThrow(UsageError);
    expect(act).toThrow(message);
  });
});
