import { expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { tensor } from "../base/tensor.ts";
import { grid } from "./grid.ts";
import { pictureOf, toByte } from "./picture.ts";

test("[-1, 1] maps onto 0..255, out of range is clipped, NaN is black", () => {
  expect([-1, 0, 0.5, 1, -3, 1.01, NaN].map(toByte)).toEqual([0, 128, 191, 255, 0, 255, 0]);
});

test("three grey images in two columns stand where they belong, gaps white, the free place empty", () => {
  const images = tensor([-1, -1, 1, 1, 0, 0], [3, 1, 1, 2]);
  const picture = grid(images, { columns: 2, gap: 1, background: 9 });
  expect([picture.width, picture.height, picture.channels]).toEqual([7, 5, 1]);
  expect(Array.from(picture.data)).toEqual(
    [
      [9, 9, 9, 9, 9, 9, 9],
      [9, 0, 0, 9, 255, 255, 9],
      [9, 9, 9, 9, 9, 9, 9],
      [9, 128, 128, 9, 9, 9, 9],
      [9, 9, 9, 9, 9, 9, 9],
    ].flat(),
  );
});

test("upscaling repeats pixels, rows and columns alike", () => {
  const picture = grid(tensor([-1, 1, 0, -1], [1, 1, 2, 2]), { gap: 0, scale: 2 });
  expect(Array.from(picture.data)).toEqual([0, 0, 255, 255, 0, 0, 255, 255, 128, 128, 0, 0, 128, 128, 0, 0]);
});

test("colour planes are interleaved", () => {
  const images = tensor([-1, -1, 0, 0, 1, 1, 1, 1, -1, -1, 0, 0], [2, 3, 1, 2]);
  const picture = grid(images, { columns: 1, gap: 0 });
  expect(Array.from(picture.data)).toEqual([0, 128, 255, 0, 128, 255, 255, 0, 128, 255, 0, 128]);
  expect(Array.from(pictureOf(images, 1).data)).toEqual([255, 0, 128, 255, 0, 128]);
});

test("by default a grid is as square as it can be", () => {
  const picture = grid(tensor(new Float32Array(5), [5, 1, 1, 1]), { gap: 0 });
  expect([picture.width, picture.height]).toEqual([3, 2]);
});

test("shapes and options that make no grid are refused by name", () => {
  const images = tensor(new Float32Array(4), [1, 1, 2, 2]);
  expect(() => grid(tensor(new Float32Array(4), [1, 4, 1, 1]))).toThrow(/got \[1, 4, 1, 1\]/);
  expect(() => grid(tensor(new Float32Array(0), [0, 1, 2, 2]))).toThrow(UsageError);
  expect(() => grid(images, { scale: 1.5 })).toThrow(/scale must be a whole number of at least 1, got 1.5/);
  expect(() => grid(images, { columns: 0 })).toThrow(/columns/);
});
