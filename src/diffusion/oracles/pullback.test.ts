import { describe, expect, test } from "vitest";
import { philox, seededNoise } from "../../base/philox.ts";
import { axpby, rows, sub, tensor } from "../../base/tensor.ts";
import type { Tensor } from "../../base/tensor.ts";
import { rowDots } from "../../testing/rowDots.ts";
import { mixtureDenoiser } from "./classes.ts";
import { gaussian } from "./gaussian.ts";
import { gaussianMixture, joinMixtures } from "./mixture.ts";

const LINE = gaussianMixture({ weights: [0.3, 0.7], means: [-1, 1.5], stds: [0.4, 0.9] });
const PLANE = gaussianMixture({
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
});
const SPACE = gaussianMixture({
  means: [
    [0, 1, -1],
    [1, -0.5, 0.3],
  ],
  stds: [0.5, [0.2, 0.9, 0.4]],
});

const noiseLike = (x: Tensor, seed: number): Tensor =>
  seededNoise(
    Array.from({ length: x.shape[0] }, (_, i) => seed + i),
    0,
    x.shape,
    "float64",
  );

describe.each([
  ["1-D", LINE],
  ["2-D", PLANE],
  ["3-D", SPACE],
])("the pullback of a mixture in %s", (_, mixture) => {
  test.each([0.05, 0.4, 1, 8])(
    "is the derivative of the prediction along the cotangent (central differences), at sigma %d",
    (sigma) => {
      const x = mixture.sample(philox(0, 0), 6, sigma);
      const [v, along] = [noiseLike(x, 10), noiseLike(x, 20)];
      const h = 1e-5 * Math.max(sigma, 0.2);
      const forward = sub(
        mixture.denoised(axpby(1, x, h, along), sigma),
        mixture.denoised(axpby(1, x, -h, along), sigma),
      );
      const want = rowDots(v, forward).map((value) => value / (2 * h));
      expect(rowDots(mixture.pullback(x, sigma, v), along)).toBeAllClose(want, { abs: 2e-8, rel: 1e-6 });
    },
  );

  test("is symmetric: <u, J v> = <J u, v>", () => {
    const x = mixture.sample(philox(1, 0), 6, 0.5);
    const [u, v] = [noiseLike(x, 1), noiseLike(x, 2)];
    expect(rowDots(u, mixture.pullback(x, 0.5, v))).toBeAllClose(rowDots(mixture.pullback(x, 0.5, u), v), {
      abs: 1e-13,
    });
  });

  test("is the identity without noise", () => {
    const x = mixture.sample(philox(2, 0), 4, 0);
    const v = noiseLike(x, 3);
    expect(mixture.pullback(x, 0, v)).toBeAllClose(v, { abs: 1e-15 });
  });
});

test("one Gaussian's pullback is C (C + sigma^2 I)^-1, at any noise level to full precision", () => {
  const law = gaussian({ mean: [1, -2], std: [0.5, 2] });
  const v = tensor(Float64Array.from([1, -3]), [1, 2]);
  for (const sigma of [1e-3, 1, 80, 1e6]) {
    const x = law.sample(philox(0, 0), 1, sigma);
    const want = [0.25 / (0.25 + sigma ** 2), (4 / (4 + sigma ** 2)) * -3];
    expect(law.pullback(x, sigma, v)).toBeAllClose(want, { rel: 1e-13 });
  }
});

test("under much noise it is the data's covariance over sigma^2", () => {
  const sigma = 1e5;
  const x = LINE.sample(philox(0, 0), 3, sigma);
  const mean = -0.3 + 0.7 * 1.5;
  const variance = 0.3 * (0.16 + (-1 - mean) ** 2) + 0.7 * (0.81 + (1.5 - mean) ** 2);
  const v = tensor(Float64Array.from([1, 1, 1]), [3, 1]);
  const want = [0, 0, 0].map(() => variance / sigma ** 2);
  expect(LINE.pullback(x, sigma, v)).toBeAllClose(want, { rel: 1e-4 }); // the density's skew is of order 1/sigma
});

describe("the vjp of a mixture's denoiser", () => {
  const other = gaussian({ mean: [0.5, 0.5], std: 0.7 });
  const denoiser = mixtureDenoiser([PLANE, other], [2, 1]);
  const x = PLANE.sample(philox(4, 0), 4, 0.6);
  const v = noiseLike(x, 5);

  test("is each row's class's, of all classes for -1 and null, with the prediction beside it", async () => {
    const all = joinMixtures([PLANE, other], [2, 1]);
    const condition = [0, 1, -1, 1];
    const { denoised, gradient } = await denoiser.vjp!(x, 0.6, { condition }, v);
    const [want] = await denoiser.denoise(x, 0.6, [{ condition }]);
    expect(denoised.data).toEqual(want.data);
    for (const [row, law] of [PLANE, other, all, other].entries()) {
      const alone = law.pullback(rows(x, row, row + 1), 0.6, rows(v, row, row + 1));
      expect(rows(gradient, row, row + 1).data).toEqual(alone.data);
    }
    const unconditional = await denoiser.vjp!(x, 0.6, { condition: null }, v);
    expect(unconditional.gradient.data).toEqual(all.pullback(x, 0.6, v).data);
  });

  test("refuses what the denoiser refuses, and a cotangent of another shape", async () => {
    await expect(denoiser.vjp!(x, 1, { condition: [0] }, v)).rejects.toThrow("a batch of 4 takes 4 labels");
    const flat = tensor(v.data, [8, 1]);
    await expect(denoiser.vjp!(x, 1, { condition: null }, flat)).rejects.toThrow("[n, 2]");
  });
});
