import { expect, test } from "vitest";
import { bytes, count, counted, duration, fixed, percent, rate, significant } from "./format.ts";

test("a duration is told in the two units that matter", () => {
  const wanted: [number, string][] = [
    [0, "0 ms"],
    [0.0021, "2.1 ms"],
    [0.82, "820 ms"],
    [0.9999, "1.0 s"],
    [3.41, "3.4 s"],
    [9.97, "10 s"],
    [59.4, "59 s"],
    [59.7, "1 min 00 s"],
    [65, "1 min 05 s"],
    [3599.6, "1 h 00 min"],
    [7500, "2 h 05 min"],
    [86399, "1 d 0 h"],
    [3 * 86400 + 4 * 3600, "3 d 4 h"],
    [Infinity, "unknown"],
    [NaN, "unknown"],
  ];
  for (const [seconds, text] of wanted) expect(duration(seconds)).toBe(text);
});

test("significant digits survive rounding up and keep trailing zeros", () => {
  expect(significant(0.5)).toBe("0.500");
  expect(significant(9.996)).toBe("10.0");
  expect(significant(-0.012345)).toBe("-0.0123");
  expect(significant(12345)).toBe("12,300");
  expect(significant(0.0000123)).toBe("1.23e-5");
  expect(significant(2.5e9, 2)).toBe("2.5e9");
  expect(significant(-0)).toBe("0");
  expect(significant(NaN)).toBe("NaN");
  expect(significant(-Infinity)).toBe("-∞");
});

test("counts and fixed decimals group thousands, and only before the point", () => {
  expect(count(8192)).toBe("8,192");
  expect(count(-1234567)).toBe("-1,234,567");
  expect(count(999)).toBe("999");
  expect(fixed(1234.56789, 4)).toBe("1,234.5679");
  expect(fixed(-0.0001, 2)).toBe("0.00");
});

test("percentages, bytes and rates carry their units", () => {
  expect(percent(0.9375)).toBe("93.8 %");
  expect(bytes(999)).toBe("999 bytes");
  expect(bytes(24_500_000)).toBe("24.5 MB");
  expect(rate(12.34, "img")).toBe("12.3 img/s");
  expect(rate(0.4, "step")).toBe("2.50 s/step");
  expect(rate(0, "step")).toBe("? step/s");
});

test("one thing is not several", () => {
  expect([0, 1, 2, 8192].map((n) => counted(n, "sample"))).toEqual([
    "0 samples",
    "1 sample",
    "2 samples",
    "8,192 samples",
  ]);
});
