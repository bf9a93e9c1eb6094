import { expect, test } from "vitest";
import { decodeFloat16, encodeFloat16 } from "./float16.ts";

const all = Uint16Array.from({ length: 65536 }, (_, i) => i);

test("every 16-bit float that is a number survives decoding and encoding", () => {
  const numbers = all.filter((half) => (half & 0x7fff) <= 0x7c00);
  expect(encodeFloat16(decodeFloat16(numbers))).toEqual(numbers);
});

test("known values have their known patterns", () => {
  const values = [1, -2, 65504, 2 ** -14, 2 ** -24, 1 / 3, -0, Infinity];
  const patterns = [0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x3555, 0x8000, 0x7c00];
  expect([...encodeFloat16(Float32Array.from(values))]).toEqual(patterns);
  expect(decodeFloat16(encodeFloat16(Float32Array.of(NaN)))[0]).toBeNaN();
});

test("a value half way between two neighbours goes to the even one, and others to the nearer", () => {
  for (let half = 0; half < 0x7bff; half++) {
    const [low, high] = decodeFloat16(Uint16Array.of(half, half + 1));
    const middle = (low + high) / 2; // exact in float32
    const below = middle - (high - low) * 2 ** -8;
    const above = middle + (high - low) * 2 ** -8;
    const want = [half & 1 ? half + 1 : half, half, half + 1];
    const got = encodeFloat16(Float32Array.of(middle, below, above));
    if (got.join() !== want.join()) expect([...got], `around ${low}`).toEqual(want);
  }
});

test("values beyond the largest become infinite from half a unit on", () => {
  expect([...encodeFloat16(Float32Array.of(65519, 65520, -1e30))]).toEqual([0x7bff, 0x7c00, 0xfc00]);
});

test("values below half the smallest become zero of their sign", () => {
  expect([...encodeFloat16(Float32Array.of(2 ** -25, 1.01 * 2 ** -25, -1e-30))]).toEqual([0, 1, 0x8000]);
});
