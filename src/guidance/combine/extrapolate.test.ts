import { expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import { extrapolate } from "./extrapolate.ts";

const float64 = (...values: number[]) => tensor(Float64Array.from(values), [1, values.length]);
const strong = float64(1, 2, -1, 0.5);
const weak = float64(0.5, 1, 0, -0.5);
const other = float64(-1, 3, 0.25, 8);

test("one weak prediction: weight 3 moves twice the difference", () => {
  expect(extrapolate(strong, [{ weight: 3, denoised: weak }])).toBeAllClose([2, 4, -3, 2.5], {});
});

test("the paper's s-form (1 + s)*strong - s*weak at s = 3 is weight 4", () => {
  expect(extrapolate(strong, [{ weight: 4, denoised: weak }])).toBeAllClose([2.5, 5, -4, 3.5], {});
});

test("weight 0 gives the weak prediction, bit for bit", () => {
  const third = tensor(Float32Array.from([1 / 3, 1e-30, -7.1, 1e20]), [1, 4]);
  const tenth = tensor(Float32Array.from([0.1, 1e30, 3e-9, -2]), [1, 4]);
  expect(extrapolate(third, [{ weight: 0, denoised: tenth }]).data).toEqual(tenth.data);
});

test("several weak predictions: the sum of each one's effect on the strong prediction", () => {
  const got = extrapolate(strong, [
    { weight: 3, denoised: weak },
    { weight: 1.5, denoised: other },
  ]);
  const want = [0, 1, 2, 3].map((i) => {
    const [s, a, b] = [strong, weak, other].map((x) => x.data[i]);
    return s + 2 * (s - a) + 0.5 * (s - b);
  });
  expect(got).toBeAllClose(want, {});
});

test("CFG 4 with PAG 3 is Eq. 14 of the PAG paper with its scales 3 and 3", () => {
  const got = extrapolate(strong, [
    { weight: 4, denoised: weak },
    { weight: 3 + 1, denoised: other },
  ]);
  const want = [0, 1, 2, 3].map(
    (i) => strong.data[i] + 3 * (strong.data[i] - weak.data[i]) + 3 * (strong.data[i] - other.data[i]),
  );
  expect(got).toBeAllClose(want, { rel: 1e-15 });
});

test("the formula for several agrees with the formula for one", () => {
  for (const weight of [-1, 0, 0.3, 1, 2.7, 15]) {
    const one = extrapolate(strong, [{ weight, denoised: other }]);
    const several = extrapolate(strong, [
      { weight, denoised: other },
      { weight: 1, denoised: weak },
    ]);
    expect(several).toBeAllClose(one, { abs: 1e-14, rel: 1e-14 });
  }
});

test("a weak prediction equal to the strong one changes nothing at any weight, bit for bit", () => {
  const x = tensor(Float32Array.from([0.1, -1 / 3, 1e-20, 7e9]), [2, 2]);
  for (const weight of [-3, 0, 0.5, 1, 7.3, 1e6]) {
    expect(extrapolate(x, [{ weight, denoised: x }]).data).toEqual(x.data);
    const twice = [2, weight].map((w) => ({ weight: w, denoised: x }));
    expect(extrapolate(x, twice).data).toEqual(x.data);
  }
});

test("without weak predictions the strong one comes back itself", () => {
  expect(extrapolate(strong, [])).toBe(strong);
});

test("several with weights by row: a row is what it would be with the weights that are not 1, bit for bit", () => {
  const rowsOf = (value: number) =>
    tensor(
      Float64Array.from({ length: 8 }, (_, i) => Math.sin(value * (i + 1))),
      [4, 2],
    );
  const [strongRows, weakRows, otherRows] = [rowsOf(1), rowsOf(2), rowsOf(3)];
  const got = extrapolate(strongRows, [
    { weight: [1, 3, 1, 3], denoised: weakRows },
    { weight: [1, 1, 2.5, 2.5], denoised: otherRows },
  ]);
  const weakOnly = extrapolate(strongRows, [{ weight: 3, denoised: weakRows }]);
  const otherOnly = extrapolate(strongRows, [{ weight: 2.5, denoised: otherRows }]);
  const both = extrapolate(strongRows, [
    { weight: 3, denoised: weakRows },
    { weight: 2.5, denoised: otherRows },
  ]);
  [strongRows, weakOnly, otherOnly, both].forEach(({ data }, row) =>
    expect(got.data.slice(2 * row, 2 * row + 2)).toEqual(data.slice(2 * row, 2 * row + 2)),
  );
});
