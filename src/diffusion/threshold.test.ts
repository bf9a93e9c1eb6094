import { expect, test } from "vitest";
import { tensor } from "../base/tensor.ts";
import { dynamicThreshold } from "./threshold.ts";

const x0 = tensor(Float64Array.of(0.5, -2, 1, 4, 0.1, -0.2, 0.3, 0.4), [2, 4]);

test("each row is cut at the quantile of its absolute values and divided by it, but not below 1", () => {
  // Row 1: the median of 0.5, 1, 2, 4 is 1.5. Row 2 lies within 1 and stays.
  expect(dynamicThreshold(x0, 0.5)).toBeAllClose([1 / 3, -1, 2 / 3, 1, 0.1, -0.2, 0.3, 0.4], { rel: 1e-14 });
  expect(dynamicThreshold(x0, 1)).toBeAllClose([0.125, -0.5, 0.25, 1, 0.1, -0.2, 0.3, 0.4], { rel: 1e-14 });
});

test("a bound is at most `max`: 1 clips", () => {
  expect(dynamicThreshold(x0, 1, 2)).toBeAllClose([0.25, -1, 0.5, 1, 0.1, -0.2, 0.3, 0.4], { rel: 1e-14 });
  expect(dynamicThreshold(x0, 1, 1)).toBeAllClose([0.5, -1, 1, 1, 0.1, -0.2, 0.3, 0.4], { rel: 1e-14 });
});

test("the array's kind stays, and the input too", () => {
  const single = tensor(Float32Array.of(3, 1), [1, 2]);
  expect(dynamicThreshold(single, 1).data).toBeInstanceOf(Float32Array);
  expect(single.data).toEqual(Float32Array.of(3, 1));
});
