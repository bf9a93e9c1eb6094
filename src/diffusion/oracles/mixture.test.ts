import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby, tensor } from "../../base/tensor.ts";
import { samplerFixture } from "../../testing/samplerFixture.ts";
import { generalKernel } from "./kernel.ts";
import { gaussianMixture, joinMixtures, moments, scoreRows } from "./mixture.ts";
import type { Mixture, MixtureSpec } from "./mixture.ts";
import { expOfMinus } from "./planarKernel.ts";

const ONE: MixtureSpec = { weights: [0.3, 0.7], means: [-1, 1.5], stds: [0.4, 0.9] };
const TWO: MixtureSpec = {
  weights: [0.5, 0.3, 0.2],
  means: [
    [-2, 0.5],
    [1.5, 1],
    [0.5, -2.5],
  ],
  covariances: [
    [
      [0.25, 0],
      [0, 0.25],
    ],
    [
      [0.3, 0.18],
      [0.18, 0.4],
    ],
    [
      [0.05, 0],
      [0, 0.6],
    ],
  ],
};
const THREE: MixtureSpec = {
  weights: [2, 1],
  means: [
    [0, 1, -1],
    [1, -0.5, 0.3],
  ],
  covariances: [
    [
      [0.5, 0.1, -0.2],
      [0.1, 0.4, 0.05],
      [-0.2, 0.05, 0.9],
    ],
    [
      [0.2, 0, 0.1],
      [0, 0.7, -0.3],
      [0.1, -0.3, 0.6],
    ],
  ],
};
const CASES = [
  ["1-D", ONE],
  ["2-D", TWO],
  ["3-D", THREE],
] as const;
const SIGMAS = [0, 0.05, 0.7, 20];

/** Points where the mixture has some density at that noise level. */
function points(mixture: Mixture, sigma: number, n = 6): Tensor {
  return mixture.sample(philox(1, 0), n, sigma);
}

/** x with coordinate j of every row moved by h. */
function moved(x: Tensor, d: number, j: number, h: number): Tensor {
  return tensor(
    Float64Array.from(x.data, (value, i) => (i % d === j ? value + h : value)),
    x.shape,
  );
}

describe.each(CASES)("in %s", (_name, spec) => {
  const mixture = gaussianMixture(spec);
  const d = mixture.dimensions;

  test("the score is the gradient of the log density (central differences)", () => {
    for (const sigma of SIGMAS) {
      const x = points(mixture, sigma);
      const score = mixture.score(x, sigma);
      const h = 1e-4 * Math.hypot(0.2, sigma);
      for (let j = 0; j < d; j++) {
        const up = mixture.logDensity(moved(x, d, j, h), sigma);
        const down = mixture.logDensity(moved(x, d, j, -h), sigma);
        const slope = up.map((value, i) => (value - down[i]) / (2 * h));
        expect(slope).toBeAllClose(
          Array.from(slope, (_, i) => score.data[i * d + j]),
          { abs: 1e-6 / Math.hypot(0.2, sigma), rel: 1e-6 },
        );
      }
    }
  });

  test("the denoiser is x + sigma^2 score (Tweedie)", () => {
    for (const sigma of SIGMAS) {
      const x = points(mixture, sigma);
      expect(mixture.denoised(x, sigma)).toBeAllClose(axpby(1, x, sigma * sigma, mixture.score(x, sigma)), {
        abs: 1e-12,
      });
    }
  });

  test("the posterior sums to 1 and weighs what each component alone would predict", () => {
    for (const sigma of SIGMAS) {
      const x = points(mixture, sigma);
      const posterior = mixture.posterior(x, sigma);
      const count = mixture.weights.length;
      const alone = mixture.components.map((_, k) =>
        gaussianMixture({
          means: [spec.means[k]],
          stds: spec.stds && [spec.stds[k]],
          covariances: spec.covariances && [spec.covariances[k]],
        }),
      );
      const logs = alone.map((component) => component.logDensity(x, sigma));
      const denoised = alone.map((component) => component.denoised(x, sigma).data);
      const total = mixture.logDensity(x, sigma);
      for (let i = 0; i < x.shape[0]; i++) {
        const row = Array.from(posterior.data.slice(i * count, (i + 1) * count));
        // Bayes: p(k | x) = w_k p(x | k) / p(x).
        expect(row).toBeAllClose(
          logs.map((log, k) => mixture.weights[k] * Math.exp(log[i] - total[i])),
          { abs: 1e-13 },
        );
        expect(row.reduce((a, b) => a + b)).toBeAllClose(1, { abs: 1e-14 });
        const want = Array.from({ length: d }, (_, j) =>
          row.reduce((sum, r, k) => sum + r * denoised[k][i * d + j], 0),
        );
        expect(mixture.denoised(x, sigma).data.slice(i * d, (i + 1) * d)).toBeAllClose(want, { abs: 1e-12 });
      }
    }
  });

  test("samples have the mixture's mean and covariance, plus sigma^2 on the diagonal (5 standard errors)", () => {
    const n = 20000;
    const exact = moments(mixture);
    for (const sigma of [0, 1.5]) {
      const { data } = mixture.sample(philox(5, 3), n, sigma);
      const largest = Math.max(...exact.covariance) + sigma * sigma;
      for (let a = 0; a < d; a++) {
        let mean = 0;
        for (let i = 0; i < n; i++) mean += data[i * d + a] / n;
        expect(mean).toBeAllClose(exact.mean[a], { abs: 5 * Math.sqrt(largest / n) });
        for (let b = 0; b < d; b++) {
          let covariance = 0;
          for (let i = 0; i < n; i++)
            covariance += ((data[i * d + a] - exact.mean[a]) * (data[i * d + b] - exact.mean[b])) / n;
          const want = exact.covariance[a * d + b] + (a === b ? sigma * sigma : 0);
          expect(covariance).toBeAllClose(want, { abs: 5 * largest * Math.sqrt(3 / n) });
        }
      }
    }
  });

  test("scoreRows gives each row the score at its own noise level", () => {
    const sigmas = Float64Array.of(0.05, 3, 0.7);
    const x = points(mixture, 1, 3);
    const out = new Float64Array(3 * d);
    scoreRows(mixture, x.data, sigmas, out);
    sigmas.forEach((sigma, i) => {
      expect(out.slice(i * d, (i + 1) * d)).toBeAllClose(
        mixture.score(x, sigma).data.slice(i * d, (i + 1) * d),
        { abs: 0 },
      );
    });
  });

  test("float32 points give float32 results, as near as float32 allows", () => {
    const x = points(mixture, 0.7);
    const single = tensor(Float32Array.from(x.data), x.shape);
    expect(mixture.score(single, 0.7).data).toBeInstanceOf(Float32Array);
    expect(mixture.denoised(single, 0.7)).toBeAllClose(mixture.denoised(x, 0.7), { abs: 1e-5 });
  });
});

test("the denoiser meets k-diffusion's reference checks to 1e-12", () => {
  const { mixture: reference, denoiser_checks } = samplerFixture("common");
  const mixture = gaussianMixture({
    weights: reference.weights,
    means: reference.means,
    covariances: reference.covs,
  });
  for (const { x, sigma, denoised } of denoiser_checks) {
    expect(mixture.denoised(tensor(Float64Array.from(x.flat()), [x.length, 2]), sigma)).toBeAllClose(
      denoised,
      { rel: 1e-12, abs: 1e-14 },
    );
  }
});

test("one standard normal in d dimensions has log density -(d ln(2 pi (1 + sigma^2)) + |x|^2 / (1 + sigma^2)) / 2", () => {
  for (const d of [1, 2, 5]) {
    const mixture = gaussianMixture({ means: [new Array<number>(d).fill(0)], stds: [1] });
    const x = tensor(new Float64Array(d).fill(0.6), [1, d]);
    const want = -(d * Math.log(2 * Math.PI * 1.25) + (d * 0.36) / 1.25) / 2;
    expect(mixture.logDensity(x, 0.5)).toBeAllClose([want], { rel: 1e-14 });
  }
});

test("the plane's quick kernel equals the general one, near and far, at every noise level", () => {
  const stream = philox(2, 0);
  const random = gaussianMixture({
    weights: Array.from({ length: 200 }, () => stream.uniform() ** 6 + 1e-6),
    means: Array.from({ length: 200 }, () => [stream.normal(), stream.normal()]),
    covariances: Array.from({ length: 200 }, () => {
      const [a, b, c] = [0.1 * stream.normal(), 0.1 * stream.normal(), 0.02 + 0.1 * stream.uniform()];
      return [
        [a * a + 1e-3, a * b],
        [a * b, b * b + c * c],
      ];
    }),
  });
  const general = generalKernel(random.weights, random.components);
  for (const sigma of [0, 1e-3, 0.03, 0.5, 5, 80]) {
    for (const reach of [0.1, 1, 30]) {
      const x = Float64Array.of(reach * stream.normal(), reach * stream.normal());
      random.kernel.evaluate(x, 0, sigma);
      general.evaluate(x, 0, sigma);
      expect(random.kernel.logDensity).toBeAllClose(general.logDensity, { rel: 1e-11 });
      expect(random.kernel.score).toBeAllClose(general.score, { rel: 1e-9, abs: 1e-11 });
    }
  }
});

test("a near component of tiny weight does not hide a far one of large weight", () => {
  // The far term is exp(-42) of the near one in distance, but 1e15 times it in weight.
  const far = Math.sqrt(2 * 42);
  for (const at of [(x: number) => [x], (x: number) => [x, 0], (x: number) => [x, 0, 0]]) {
    const mixture = gaussianMixture({ weights: [1e-15, 1], means: [at(0), at(far)], stds: [1, 1] });
    const posterior = mixture.posterior(tensor(Float64Array.from(at(0)), [1, at(0).length]), 0);
    const odds = 1e15 * Math.exp(-42);
    expect(posterior).toBeAllClose([1 / (1 + odds), odds / (1 + odds)], { rel: 1e-10 });
    // Score at the near mean: the far component alone pulls, by its posterior times its distance.
    const { data } = mixture.score(tensor(Float64Array.from(at(0)), [1, at(0).length]), 0);
    expect(data[0]).toBeAllClose((far * odds) / (1 + odds), { rel: 1e-10 });
  }
});

test("a point a thousand deviations away still has a finite density and a score towards the nearest component", () => {
  const mixture = gaussianMixture({
    means: [
      [0, 0],
      [10, 0],
    ],
    stds: [0.01, 0.01],
  });
  const x = tensor(Float64Array.of(-10, 0), [1, 2]);
  expect(mixture.logDensity(x, 0)).toBeAllClose([Math.log(0.5) - 5e5 - Math.log(2 * Math.PI * 1e-4)], {
    rel: 1e-14,
  });
  expect(mixture.score(x, 0)).toBeAllClose([1e5, 0], { rel: 1e-12 });
});

test("expOfMinus is exp(-y) to 2e-15", () => {
  let worst = 0;
  for (let y = 0; y <= 700; y += 0.0137) worst = Math.max(worst, Math.abs(expOfMinus(y) / Math.exp(-y) - 1));
  expect(worst).toBeLessThan(2e-15);
});

test("in the plane, point masses far apart leave the nearest one", () => {
  const mixture = gaussianMixture({
    means: [
      [0, 0],
      [100, 0],
      [0, 1],
    ],
    stds: [0, 0, 0],
  });
  const x = tensor(Float64Array.of(99, 0), [1, 2]);
  expect(mixture.denoised(x, 0.5)).toBeAllClose([100, 0], { abs: 1e-12 });
  expect(mixture.logDensity(x, 0.5)).toBeAllClose([Math.log(1 / 3) - 2 - Math.log(2 * Math.PI * 0.25)], {
    rel: 1e-14,
  });
});

test("point masses are allowed under noise: the denoiser is a softmax over the data", () => {
  const data = [-1, 0.5, 2];
  const mixture = gaussianMixture({ means: data, stds: [0, 0, 0] });
  const weights = data.map((mean) => Math.exp(-((0.2 - mean) ** 2) / (2 * 0.49)));
  const want = weights.reduce((sum, w, i) => sum + w * data[i], 0) / weights.reduce((a, b) => a + b);
  expect(mixture.denoised(tensor(Float64Array.of(0.2), [1, 1]), 0.7)).toBeAllClose([want], { rel: 1e-14 });
});

test("joined mixtures have the weighted density of their parts", () => {
  const parts = [
    gaussianMixture(TWO),
    gaussianMixture({
      means: [
        [3, 3],
        [4, 1],
      ],
      stds: [0.5, 1],
    }),
  ];
  const joined = joinMixtures(parts, [3, 1]);
  const x = joined.sample(philox(0, 0), 5, 0.4);
  const [a, b] = parts.map((part) => part.logDensity(x, 0.4));
  expect(joined.logDensity(x, 0.4)).toBeAllClose(
    a.map((log, i) => Math.log(0.75 * Math.exp(log) + 0.25 * Math.exp(b[i]))),
    { abs: 1e-12 },
  );
});

test("specifications that do not fit are refused in one sentence", () => {
  expect(() => gaussianMixture({ means: [] })).toThrow("at least one component");
  expect(() => gaussianMixture({ means: [0, 1], stds: [1] })).toThrow(
    "a mixture of 2 means takes 2 stds, got 1",
  );
  expect(() => gaussianMixture({ means: [0], weights: [0], stds: [1] })).toThrow(
    "weights are numbers above 0, got 0",
  );
  expect(() => gaussianMixture({ means: [0] })).toThrow("std or covariance");
  expect(() => gaussianMixture({ means: [0], stds: [-1] })).toThrow("std is a number of at least 0");
  expect(() =>
    gaussianMixture({
      means: [[0, 0]],
      covariances: [
        [
          [1, 0.5],
          [0.4, 1],
        ],
      ],
    }),
  ).toThrow("symmetric");
  expect(() =>
    gaussianMixture({
      means: [[0, 0]],
      covariances: [
        [
          [1, 2],
          [2, 1],
        ],
      ],
    }),
  ).toThrow("no negative eigenvalue");
  expect(() => gaussianMixture({ means: [[0, 0]], covariances: [[[1]]] })).toThrow("2 rows of 2");
  expect(() => gaussianMixture({ means: [0, [0, 0]], stds: [1, 1] })).toThrow("same dimension");
  expect(() => gaussianMixture(TWO).score(tensor(new Float64Array(3), [1, 3]), 1)).toThrow(
    "points of shape [n, 2], got [1, 3]",
  );
  expect(() =>
    scoreRows(gaussianMixture(TWO), new Float64Array(4), new Float64Array(3), new Float64Array(4)),
  ).toThrow("3 sigmas take 6");
});
