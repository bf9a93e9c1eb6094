import { expect, test } from "vitest";
import { fillCudaNormal } from "./cudaNoise.ts";

test("the first normals of seed 0 are those that web UIs print for torch.randn on CUDA", () => {
  const out = new Float64Array(10);
  fillCudaNormal(out, 0, 0);
  // The example in the documentation of stable-diffusion-webui's rng_philox.py, to its 8 digits.
  const want = [
    -0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564, -0.62285122, -0.32838709,
    -1.07454231, -0.36314407,
  ];
  expect(out).toBeAllClose(want, { abs: 6e-9 });
});

test("an element depends on its place, the seed and the call, and not on how many there are", () => {
  const draw = (seed: number, call: number, count: number): Float64Array => {
    const out = new Float64Array(count);
    fillCudaNormal(out, seed, call);
    return out;
  };
  expect(draw(5, 2, 100).slice(0, 7)).toEqual(draw(5, 2, 7));
  for (const other of [draw(6, 2, 7), draw(5, 3, 7), draw(5 + 2 ** 32, 2, 7)])
    expect(other).not.toEqual(draw(5, 2, 7));
});

test("they are standard normal: mean and variance of 40,000 within five standard errors", () => {
  const n = 40000;
  const out = new Float64Array(n);
  fillCudaNormal(out, 1, 0);
  const mean = out.reduce((a, b) => a + b, 0) / n;
  const variance = out.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
  expect(mean).toBeAllClose(0, { abs: 5 / Math.sqrt(n) });
  expect(variance).toBeAllClose(1, { abs: 5 * Math.sqrt(2 / n) });
});
