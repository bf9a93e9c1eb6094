import { describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpy, scale, tensor } from "../../base/tensor.ts";
import type { Evaluate } from "../denoiser.ts";
import { last } from "../last.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { karras } from "../sigmas.ts";
import { euler } from "./euler.ts";
import { lms } from "./lms.ts";
import { slope } from "./sampler.ts";

const x = scale(20, seededNoise([3, 4, 5], 0, [3, 2], "float64"));
const mixture = gaussianMixture({
  weights: [0.6, 0.4],
  means: [
    [-1, 0.5],
    [1.5, -0.5],
  ],
  stds: [0.5, [0.3, 0.8]],
});
const grid = karras({ steps: 9, max: 20 });

/** The denoiser whose slope (x - D)/sigma is p(sigma) everywhere. */
const withSlope =
  (p: (sigma: number) => number): Evaluate =>
  (at, sigma) =>
    Promise.resolve({ data: at.data.map((value) => value - sigma * p(sigma)), shape: at.shape });

/** The samples before each step, and the last. */
async function states(denoise: Evaluate, start: Tensor, options: object): Promise<number[]> {
  const run = lms(denoise, start, grid, options);
  const seen: number[] = [];
  for (;;) {
    const { done, value } = await run.next();
    if (done) return [...seen, value.data[0]];
    seen.push(value.x.data[0]);
  }
}

describe.each([1, 2, 3, 4])("of order %i", (order) => {
  test("integrates slopes of lower degree exactly, once so many have been seen", async () => {
    for (let degree = 0; degree <= order; degree++) {
      const seen = await states(
        withSlope((sigma) => sigma ** degree),
        tensor(Float64Array.of(1), [1, 1]),
        { order },
      );
      const integral = (i: number): number =>
        (grid[i + 1] ** (degree + 1) - grid[i] ** (degree + 1)) / (degree + 1);
      const rounding = 1e-13 * Math.max(...seen.map(Math.abs));
      const off = (i: number): number => Math.abs(seen[i + 1] - seen[i] - integral(i));
      if (degree === order) expect(off(order - 1)).toBeGreaterThan(1e6 * rounding);
      else for (let i = order - 1; i + 1 < seen.length; i++) expect(off(i)).toBeLessThan(rounding);
    }
  });

  test("begins as the methods of lower order do", async () => {
    const start = tensor(Float64Array.of(11, -4), [1, 2]);
    const mine = await states(mixture.denoise, start, { order });
    for (let lower = 1; lower < order; lower++) {
      const theirs = await states(mixture.denoise, start, { order: lower });
      expect(mine.slice(0, lower + 1)).toBeAllClose(theirs.slice(0, lower + 1), { abs: 1e-13 });
      expect(Math.abs(mine[lower + 1] - theirs[lower + 1])).toBeGreaterThan(1e-6);
    }
  });
});

test("of order 1 is Euler's method", async () => {
  const want = await last(euler(mixture.denoise, x, grid));
  expect(await last(lms(mixture.denoise, x, grid, { order: 1 }))).toBeAllClose(want, { abs: 1e-12 });
});

test("of order 2 is Adams-Bashforth's for uneven steps: (1 + h/(2 g)) d - h/(2 g) d_previous after a step of g", async () => {
  const [a, b, c] = grid;
  const d0 = slope(x, mixture.denoised(x, a), a);
  const second = axpy(b - a, d0, x);
  const d1 = slope(second, mixture.denoised(second, b), b);
  const [g, h] = [b - a, c - b];
  const want = axpy(h * (1 + h / (2 * g)), d1, axpy((-h * h) / (2 * g), d0, second));
  expect(await last(lms(mixture.denoise, x, [a, b, c], { order: 2 }))).toBeAllClose(want, { abs: 1e-12 });
});
