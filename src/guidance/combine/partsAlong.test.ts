import { describe, expect, test } from "vitest";
import { UsageError } from "../../base/errors.ts";
import { partsAlong } from "./partsAlong.ts";

const shape = [2, 2, 3];
const sample = Float64Array.from({ length: 12 }, (_, i) => i);

/** The parts, in the order in which they are made. */
function partsOf(axes: readonly number[] | undefined): number[][] {
  const seen: number[][] = [];
  partsAlong(axes, shape, [sample, sample], (a) => {
    seen.push(Array.from(a));
    return a;
  });
  return seen;
}

describe("parts of a sample of 2 channels of 2 x 3", () => {
  test.each([
    { axes: undefined, want: [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]] },
    { axes: [0, 1, 2], want: [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]] },
    { axes: [0], want: [0, 1, 2, 3, 4, 5].map((at) => [at, at + 6]) },
    { axes: [1], want: [0, 1, 2, 6, 7, 8].map((at) => [at, at + 3]) },
    { axes: [2], want: [0, 3, 6, 9].map((at) => [at, at + 1, at + 2]) },
    {
      axes: [1, 2],
      want: [
        [0, 1, 2, 3, 4, 5],
        [6, 7, 8, 9, 10, 11],
      ],
    },
    { axes: [2, 0], want: [0, 3].map((at) => [at, at + 1, at + 2, at + 6, at + 7, at + 8]) },
  ])("along axes $axes", ({ axes, want }) => {
    expect(partsOf(axes)).toEqual(want);
  });
});

test("each part's result comes back to its places, and both samples are taken apart alike", () => {
  const other = sample.map((value) => 100 * value);
  const got = partsAlong([1], shape, [sample, other], (a, b) => a.map((value, i) => value + b[1 - i]));
  // Rows of a channel change places in the second sample.
  expect(Array.from(got)).toEqual([300, 401, 502, 3, 104, 205, 906, 1007, 1108, 609, 710, 811]);
});

test("an axis that a sample does not have is refused", () => {
  expect(() => partsOf([3])).toThrow(UsageError);
  expect(() => partsOf([0, 3])).toThrow("a sample of shape [2, 2, 3] has axes 0 to 2, got axis 3");
});
