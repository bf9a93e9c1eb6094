import { describe, expect, test } from "vitest";
import { formatSeeds, parseSeeds } from "./seeds.ts";

describe("parseSeeds", () => {
  test("reads ranges with both ends, lists, and both together, in the order given", () => {
    expect(parseSeeds("7")).toEqual([7]);
    expect(parseSeeds("0-3")).toEqual([0, 1, 2, 3]);
    expect(parseSeeds("1,5,9")).toEqual([1, 5, 9]);
    expect(parseSeeds(" 8, 2-4 ,0")).toEqual([8, 2, 3, 4, 0]);
  });

  test("refuses what is not a list of whole numbers, and says what is", () => {
    for (const text of ["", "a", "-1", "1.5", "3-1", "0-", "1,,2", "0..3", "99999999999999999999"]) {
      expect(() => parseSeeds(text)).toThrow(
        `--seeds wants whole numbers such as 0-15 or 1,5,9, got "${text}"`,
      );
    }
  });

  test("refuses a seed given twice, and more than a million", () => {
    expect(() => parseSeeds("0-3,2")).toThrow("gives 2 twice");
    expect(() => parseSeeds("0-1000000")).toThrow("more than a million");
    expect(() => parseSeeds("0-999998,2000000-2000005")).toThrow("more than a million");
  });
});

test("formatSeeds writes the shortest text, which parseSeeds reads back", () => {
  expect(formatSeeds([0, 1, 2, 8])).toBe("0-2,8");
  for (const seeds of [[0], [3, 2, 1], [5, 6, 9, 10, 11, 0], [1, 3, 5]]) {
    expect(parseSeeds(formatSeeds(seeds))).toEqual(seeds);
  }
});
