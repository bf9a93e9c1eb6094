import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { brownianNoise } from "./brownian.ts";
import { last } from "./last.ts";
import { gaussian } from "./oracles/gaussian.ts";
import { dpmpp2mSde } from "./samplers/dpmpp2mSde.ts";
import { karras } from "./sigmas.ts";

const seeds = Array.from({ length: 3000 }, (_, i) => i);
const noise = brownianNoise(seeds);
/** W(from) - W(to) of every sample. */
const increment = (from: number, to: number, of = noise, count = seeds.length): number[] =>
  Array.from(of(0, [count, 1], { from, to }).data, (z) => z * Math.sqrt(from - to));
const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe("a Brownian path", () => {
  test("adds up: what two steps add is what the whole step adds", () => {
    for (const [a, b, c] of [
      [80, 10, 0.002],
      [1, 0.5, 0.25],
      [0.01, 0.007, 0],
    ]) {
      const [whole, first, second] = [increment(a, c), increment(a, b), increment(b, c)];
      expect(first.map((value, i) => value + second[i])).toBeAllClose(whole, { abs: 1e-10 * Math.sqrt(a) });
    }
  });

  test("has increments of variance |from - to|, independent where they do not overlap (5 standard errors)", () => {
    const spans = [
      [80, 20],
      [20, 1.3],
      [1.3, 0.04],
      [0.04, 0.002],
    ];
    const all = spans.map(([from, to]) => increment(from, to).map((w) => w / Math.sqrt(from - to)));
    const error = 5 / Math.sqrt(seeds.length);
    all.forEach((a, i) => {
      expect(average(a)).toBeAllClose(0, { abs: error });
      expect(average(a.map((z) => z * z))).toBeAllClose(1, { abs: error * Math.SQRT2 });
      for (const b of all.slice(i + 1))
        expect(average(a.map((z, k) => z * b[k]))).toBeAllClose(0, { abs: error });
    });
  });

  test("is a sample's own: it depends on its seed and not on the batch", () => {
    const alone = increment(3, 2, brownianNoise([7]), 1);
    expect(alone).toEqual([increment(3, 2)[7]]);
  });

  test("ends at 2^17", () => {
    expect(() => increment(2 ** 18, 1)).toThrow(UsageError);
  });
});

test("with it, more steps of an SDE sampler come nearer to one sample; with independent noises they do not", async () => {
  const data = gaussian({ mean: 0.7, std: 0.5 });
  const count = 60;
  const some = seeds.slice(0, count);
  const path = brownianNoise(some);
  const run = async (steps: number, by = path): Promise<number[]> => {
    const x = { data: Float64Array.from(some, (seed) => 20 * Math.sin(seed)), shape: [count, 1] };
    const grid = karras({ steps, min: 0.01, max: 20 });
    return Array.from((await last(dpmpp2mSde(data.denoise, x, grid, { noise: by }))).data);
  };
  const apart = (a: number[], b: number[]): number =>
    Math.sqrt(average(a.map((value, i) => (value - b[i]) ** 2)));
  const [coarse, middle, fine] = [await run(20), await run(60), await run(180)];
  expect(apart(middle, fine)).toBeLessThan(apart(coarse, fine) / 2);
  expect(apart(coarse, fine)).toBeLessThan(0.3);
});
