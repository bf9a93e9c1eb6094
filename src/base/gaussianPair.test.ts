import { describe, expect, test } from "vitest";
import { cosOfWord, logOfWord, radius, sinOfWord } from "./gaussianPair.ts";
import { philox } from "./philox.ts";

const LAST = 4294967295;
const stream = philox(11, 0);
const words = [
  ...Array.from({ length: 64 }, (_, i) => i),
  ...Array.from({ length: 64 }, (_, i) => LAST - i),
  ...[0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xb504f333, 0xb504f334, 0xc0000000],
  ...Array.from({ length: 20_000 }, () => stream.integer(LAST + 1)),
];

/** The distance between neighbouring numbers around x. */
const ulp = (x: number): number => 2 ** (Math.floor(Math.log2(Math.abs(x))) - 52);

describe("numbers that every engine rounds alike", () => {
  test("the logarithm is that of the engine, to one unit in the last place", () => {
    for (const w of words) {
      const want = Math.log((w + 0.5) / (LAST + 1));
      expect(Math.abs(logOfWord(w) - want) / ulp(want), `word ${w}`).toBeLessThanOrEqual(1);
    }
  });

  test("sine and cosine are the engine's of the angle within its first eighth, mirrored", () => {
    for (const w of words) {
      // The engine's own functions of an angle that is not rounded much: within an eighth of a turn of 0.
      const nearest = Math.round(w / 2 ** 30);
      const a = ((w - nearest * 2 ** 30) * Math.PI) / 2 ** 31;
      const turned = [Math.cos(a), -Math.sin(a), -Math.cos(a), Math.sin(a)];
      expect(Math.abs(cosOfWord(w) - turned[nearest % 4]), `cos of ${w}`).toBeLessThanOrEqual(2 ** -53);
      expect(Math.abs(sinOfWord(w) - turned[(nearest + 3) % 4]), `sin of ${w}`).toBeLessThanOrEqual(2 ** -53);
    }
  });

  test("quarter turns are exact", () => {
    expect([0, 2 ** 30, 2 ** 31, 3 * 2 ** 30].map((w) => cosOfWord(w) + 0)).toEqual([1, 0, -1, 0]);
    expect([0, 2 ** 30, 2 ** 31, 3 * 2 ** 30].map((w) => sinOfWord(w) + 0)).toEqual([0, 1, 0, -1]);
  });

  test("the radius of the smallest word is the largest that there is, of the largest word the smallest", () => {
    expect(radius(0)).toBeCloseTo(Math.sqrt(2 * 33 * Math.LN2), 14);
    expect(radius(LAST)).toBeCloseTo(Math.sqrt(-2 * Math.log1p(-(2 ** -33))), 19);
  });

  test("its bits are these", () => {
    expect([0, 1, 12345, 0x80000000, LAST].map(logOfWord)).toEqual(golden.log);
    expect([1, 12345, 0x12345678, 0xfedcba98].map(cosOfWord)).toEqual(golden.cos);
    expect([1, 12345, 0x12345678, 0xfedcba98].map(sinOfWord)).toEqual(golden.sin);
  });
});

/** From this implementation: an engine that rounds otherwise shows here. The tests above say that they are right. */
const golden = {
  log: [
    -22.873856958478196, -21.775244669810085, -12.759662874731541, -0.6931471803271146,
    -1.1641532183371108e-10,
  ],
  cos: [1, 0.9999999998369232, 0.9018325267871867, 0.9996101150214739],
  sin: [1.4629180792671596e-9, 0.000018059723687571377, 0.4320857480045344, -0.027921639399498488],
};
