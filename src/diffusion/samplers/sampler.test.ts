import { describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, map, scale, tensor } from "../../base/tensor.ts";
import { addNoise, eulerStep, shiftedMean, slope } from "./sampler.ts";

const x = scale(5, seededNoise([1, 2, 3], 0, [3, 2], "float64"));
const d = seededNoise([4, 5, 6], 0, [3, 2], "float64");
const span = { from: 3, to: 1 };

describe("a step of Euler", () => {
  test("goes along the slope", () => {
    for (const [from, to] of [
      [3, 1],
      [80, 0.002],
      [0.5, 0.5],
    ])
      expect(eulerStep(x, d, from, to)).toBeAllClose(axpy(to - from, slope(x, d, from), x), { abs: 1e-13 });
  });

  test("to 0 is the prediction, bit for bit, and to its own level the sample", () => {
    expect(eulerStep(x, d, 3, 0).data).toEqual(d.data);
    expect(eulerStep(x, d, 3, 3).data).toEqual(x.data);
  });

  test("may be made in two where the prediction stays", () => {
    const half = eulerStep(x, d, 3, 1.7);
    expect(eulerStep(half, d, 1.7, 1)).toBeAllClose(eulerStep(x, d, 3, 1), { abs: 1e-14 });
  });

  test("keeps the noise (x - D)/sigma where the prediction stays", () => {
    expect(slope(eulerStep(x, d, 3, 1), d, 1)).toBeAllClose(slope(x, d, 3), { abs: 1e-14 });
  });

  test("puts back the noise of the prediction that is named, and ends at its own", () => {
    const renoise = seededNoise([7, 8, 9], 0, [3, 2], "float64");
    const want = axpby(1, d, 1 / 3, axpy(-1, renoise, x));
    expect(eulerStep(x, { ...d, renoise }, 3, 1)).toBeAllClose(want, { abs: 1e-15 });
    expect(eulerStep(x, { ...d, renoise }, 3, 0).data).toEqual(d.data);
    expect(eulerStep(x, { ...d, renoise: d }, 3, 1)).toBeAllClose(eulerStep(x, d, 3, 1), { abs: 1e-14 });
  });

  test("keeps the array kind of x", () => {
    const single = { data: Float32Array.from(x.data), shape: x.shape };
    expect(eulerStep(single, d, 3, 1).data).toBeInstanceOf(Float32Array);
    expect(eulerStep(x, d, 3, 1).data).toBeInstanceOf(Float64Array);
  });
});

describe("noise of a step", () => {
  const unit = seededNoise([7, 8, 9], 0, [3, 2], "float64");

  test("is added with its deviation, and asked for by the step, the shape and where it acts", () => {
    const asked: unknown[] = [];
    const got = addNoise(x, 0.3, 4, (...given) => (asked.push(given), unit), { ...span, part: 1 });
    expect(got).toBeAllClose(axpy(0.3, unit, x), { abs: 0 });
    expect(asked).toEqual([[4, [3, 2], { from: 3, to: 1, part: 1 }]]);
  });

  test("of deviation 0 is not drawn, and needs no source", () => {
    expect(addNoise(x, 0, 0, undefined, span)).toBe(x);
    addNoise(x, 0, 0, () => expect.fail("drew noise"), span);
  });

  test("without a source says what to give", () => {
    expect(() => addNoise(x, 1e-300, 0, undefined, span)).toThrow("give it as options.noise");
  });
});

describe("the mean of a step", () => {
  const shift = (mean: Tensor, to: number): Promise<Tensor> =>
    Promise.resolve(map((value) => to * value - 1, mean));

  test("moves by the variance times the shift, taken at the mean and the next level", async () => {
    const got = await shiftedMean(x, { ...d, meanShift: shift }, 0.5, 0.3);
    expect(got).toBeAllClose(
      map((value) => value + 0.09 * (0.5 * value - 1), x),
      { abs: 1e-14 },
    );
  });

  test("moves each element by its own variance where they differ", async () => {
    const deviations = tensor(Float64Array.of(0, 0.1, 0.2, 0.3, 0.4, 0.5), [3, 2]);
    const got = await shiftedMean(x, { ...d, meanShift: shift }, 0.5, deviations);
    expect(got).toBeAllClose(
      map((value, i) => value + deviations.data[i] ** 2 * (0.5 * value - 1), x),
      { abs: 1e-14 },
    );
  });

  test("stays where nothing is to move it, and on the step to 0", async () => {
    expect(await shiftedMean(x, d, 0.5, 0.3)).toBe(x);
    expect(await shiftedMean(x, { ...d, meanShift: shift }, 0, 0)).toBe(x);
  });

  test("cannot move without noise, and says so", async () => {
    await expect(shiftedMean(x, { ...d, meanShift: shift }, 0.5, 0)).rejects.toThrow("eta above 0");
  });
});
