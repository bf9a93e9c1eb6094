import { describe, expect, test } from "vitest";
import { constantOf, hasNumbers, numbersOf } from "./constant.ts";
import type { DataType } from "./graph.ts";
import { pack, unpack } from "./packing.ts";
import { smallFloats } from "./smallFloats.ts";

/** Least positive, largest and how many codes are finite, by the types' specifications. */
const facts: readonly [DataType, least: number, largest: number, finite: number][] = [
  ["float8e4m3fn", 2 ** -9, 448, 254],
  ["float8e4m3fnuz", 2 ** -10, 240, 255],
  ["float8e5m2", 2 ** -16, 57344, 248],
  ["float8e5m2fnuz", 2 ** -17, 57344, 255],
  ["float6e2m3", 0.125, 7.5, 64],
  ["float6e3m2", 0.0625, 28, 64],
  ["float4e2m1", 0.5, 6, 16],
];

describe.each(facts)("%s", (dtype, least, largest, finite) => {
  const numbers = Array.from(smallFloats(dtype)!).filter(Number.isFinite);

  test("has the range of its specification", () => {
    expect(Math.min(...numbers.filter((x) => x > 0))).toBe(least);
    expect(Math.max(...numbers)).toBe(largest);
    expect(Math.min(...numbers)).toBe(-largest);
    expect(numbers).toHaveLength(finite);
  });

  test("keeps its own numbers, and rounds others to the nearest, ties to even, at most to the largest", () => {
    expect(Array.from(numbersOf(constantOf(dtype, [numbers.length], numbers)))).toEqual(numbers);
    const rounded = (x: number): number => numbersOf(constantOf(dtype, [1], [x]))[0];
    expect([0.4, 0.5, 0.6, 1.5, 2.5].map((part) => rounded(part * least))).toEqual(
      [0, 0, 1, 2, 2].map((n) => n * least),
    );
    expect([rounded(1e9), rounded(-Infinity)]).toEqual([largest, -largest]);
  });
});

test("float8e8m0 is a power of two", () => {
  const data = Uint8Array.of(0, 127, 130, 254, 255);
  expect(Array.from(numbersOf({ dtype: "float8e8m0", shape: [5], data }))).toEqual([
    2 ** -127,
    1,
    8,
    2 ** 127,
    NaN,
  ]);
});

test.each([
  ["int4", [-8, 7, -1, 0, 3], [0x78, 0x0f, 0x03]],
  ["uint4", [15, 1, 8], [0x1f, 0x08]],
  ["int2", [-2, 1, -1, 0, 1], [0b00110110, 0b01]],
  ["uint2", [3, 0, 1, 2], [0b10010011]],
] as const)("%s are packed lowest bits first", (dtype, numbers, bytes) => {
  const constant = constantOf(dtype, [numbers.length], numbers);
  expect(constant.data).toEqual(Uint8Array.from(bytes));
  expect(Array.from(numbersOf(constant))).toEqual(numbers);
  expect(hasNumbers(dtype)).toBe(true);
});

test("numbers of six bits stand four in three bytes", () => {
  // byte0 = x0 | (x1 & 3) << 6; byte1 = x1 >> 2 | (x2 & 15) << 4; byte2 = x2 >> 4 | x3 << 2 (onnx.proto)
  const packed = Uint8Array.of(0b01_000001, 0b0011_1010, 0b111111_11);
  expect(pack([1, 0b101001, 0b110011, 63], 6)).toEqual(packed);
  expect(unpack(packed, 6, 4)).toEqual(Uint8Array.of(1, 0b101001, 0b110011, 63));
  expect(pack([1, 2, 3, 4, 5], 6)).toHaveLength(4);
});
