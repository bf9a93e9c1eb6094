import { expect, test } from "vitest";
import { seededNoise } from "../base/philox.ts";
import { numpyRandomState } from "../base/randomState.ts";
import { torchGenerator } from "../base/torchGenerator.ts";
import { generators, noiseSource } from "./noise.ts";

const span = { from: 1, to: 0.5 };
const shape = [2, 1, 4, 5];

test("torch: the start is randn of the sample's shape, and steps draw on from there", () => {
  const source = noiseSource([42, 7], { generator: "torch" });
  const [start, step] = [source.start(shape), source.step(0, shape, span)];
  const generator = torchGenerator(7);
  expect(start.data.slice(20)).toEqual(Float32Array.from(generator.randn(20)));
  expect(step.data.slice(20)).toEqual(Float32Array.from(generator.randn(20)));
});

test("numpy: RandomState(seed).randn", () => {
  const { randn } = numpyRandomState(42);
  const want = Float32Array.from({ length: 20 }, randn);
  expect(noiseSource([42], { generator: "numpy" }).start([1, 1, 4, 5]).data).toEqual(want);
});

test("philox: a step's noise is a function of its number, whoever asked before", () => {
  const source = noiseSource([3, 4]);
  expect(source.step(5, shape, span)).toEqual(seededNoise([3, 4], 6, shape));
  expect(source.start(shape)).toEqual(seededNoise([3, 4], 0, shape));
});

test.each(generators)("%s: a sample's noises do not depend on the batch", (generator) => {
  const draws = (seeds: number[]): Float32Array[] => {
    const source = noiseSource(seeds, { generator });
    const of = [seeds.length, 3];
    return [source.start(of), source.step(0, of, span), source.step(1, of, { ...span, part: 1 })].map(
      ({ data }) => data.slice(-3) as Float32Array,
    );
  };
  expect(draws([1, 2, 9])).toEqual(draws([9]));
});

test("brownian: two steps' noises add up to the whole step's, from the same start as without", () => {
  const source = noiseSource([5], { brownian: true });
  const of = [1, 4];
  expect(source.start(of)).toEqual(noiseSource([5]).start(of));
  const at = (from: number, to: number): number[] =>
    Array.from(source.step(0, of, { from, to }).data, (z) => z * Math.sqrt(from - to));
  const [a, b] = [at(4, 1), at(1, 0.5)];
  expect(a.map((value, i) => value + b[i])).toBeAllClose(at(4, 0.5), { abs: 1e-6 });
});

test("no two noises of a run are alike: the start's, each step's, and a step's second one", () => {
  for (const generator of generators) {
    const { start, step } = noiseSource([3, 9], { generator });
    const span = { from: 2, to: 1 };
    const drawn = [
      start([2, 4]),
      step(0, [2, 4], span),
      step(0, [2, 4], { ...span, part: 1 }),
      step(1, [2, 4], span),
      step(1, [2, 4], { ...span, part: 1 }),
    ];
    const rows = drawn.flatMap(({ data }) => [data.slice(0, 4), data.slice(4)]);
    expect(new Set(rows.map((row) => row.join())).size, generator).toBe(10);
  }
});
