import type { Tensor } from "../../base/tensor.ts";
import { axpy, scale } from "../../base/tensor.ts";

/** Adams-Bashforth's coefficients for equal steps, newest first, by order. They sum to 1. */
const COEFFICIENTS: readonly (readonly number[])[] = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
];

/** The mean over the coming step of what was `newestFirst` at the last steps (1 to 4 of them), if all steps are equally long. */
export function extrapolated(newestFirst: readonly Tensor[]): Tensor {
  const [first, ...older] = COEFFICIENTS[newestFirst.length - 1];
  return older.reduce(
    (sum, weight, j) => axpy(weight, newestFirst[j + 1], sum),
    scale(first, newestFirst[0]),
  );
}
