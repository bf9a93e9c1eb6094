import { describe, expect, test } from "vitest";
import { centreCrop, padImages, resize, toBytes, toGrey, toRgb, toUnitRange } from "./transforms.ts";

const picture = (height: number, width: number, data: ArrayLike<number>, channels = 1) => ({
  channels,
  height,
  width,
  data: Uint8Array.from(data),
});

describe("bytes and floats", () => {
  test("0 is -1, 255 is 1, and every byte comes back", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const floats = new Float32Array(256);
    toUnitRange(bytes, floats);
    expect([floats[0], floats[255]]).toEqual([-1, 1]);
    expect(floats[51]).toBeAllClose(-0.6, { abs: 1e-7 });
    expect(toBytes(floats)).toEqual(bytes);
    expect(Array.from(toBytes([-3, 3]))).toEqual([0, 255]);
  });

  test("a part is written where it belongs", () => {
    const out = new Float32Array(4);
    toUnitRange(Uint8Array.of(9, 0, 255, 9), out, 1, 2, 2);
    expect(Array.from(out)).toEqual([0, 0, -1, 1]);
  });
});

test("padding puts images in the middle of black, the odd pixel to the right and the bottom", () => {
  const images = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  expect(Array.from(padImages(images, { count: 2, height: 2, width: 2, size: 4 }))).toEqual([
    ...[0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0, 0, 0, 0],
    ...[0, 0, 0, 0, 0, 5, 6, 0, 0, 7, 8, 0, 0, 0, 0, 0],
  ]);
  expect(
    Array.from(padImages(Uint8Array.of(1, 2, 3, 4), { count: 1, height: 2, width: 2, size: 3 })),
  ).toEqual([1, 2, 0, 3, 4, 0, 0, 0, 0]);
});

test("the centre crop is the middle square of every channel", () => {
  const cropped = centreCrop(picture(2, 4, [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18], 2));
  expect([cropped.height, cropped.width]).toEqual([2, 2]);
  expect(Array.from(cropped.data)).toEqual([2, 3, 6, 7, 12, 13, 16, 17]);
  expect(Array.from(centreCrop(picture(3, 1, [1, 2, 3])).data)).toEqual([2]);
});

describe("resize", () => {
  test("the same size keeps every byte", () => {
    const data = Array.from({ length: 35 }, (_, i) => (i * 53) % 256);
    expect(Array.from(resize(picture(5, 7, data), 5, 7).data)).toEqual(data);
  });

  test("half the size is the mean of 2 x 2 pixels", () => {
    expect(Array.from(resize(picture(2, 4, [10, 20, 100, 104, 30, 40, 100, 100]), 1, 2).data)).toEqual([
      25, 101,
    ]);
  });

  test("from 3 to 2 pixels, the middle one is shared", () => {
    // (1 a + 1/2 b) / 1.5 and (1/2 b + 1 c) / 1.5
    expect(Array.from(resize(picture(1, 3, [0, 60, 240]), 1, 2).data)).toEqual([20, 180]);
  });

  test("twice the size interpolates between pixel centres: 1/4 and 3/4, the border kept", () => {
    expect(Array.from(resize(picture(1, 2, [0, 100]), 1, 4).data)).toEqual([0, 25, 75, 100]);
    expect(Array.from(resize(picture(2, 1, [0, 100]), 4, 1).data)).toEqual([0, 25, 75, 100]);
  });

  test("a constant picture stays constant at any size and the mean survives any reduction", () => {
    for (const [from, to] of [
      [7, 3],
      [1, 5],
      [5, 13],
      [640, 31],
    ]) {
      expect(new Set(resize(picture(from, from, new Uint8Array(from * from).fill(93)), to, to).data)).toEqual(
        new Set([93]),
      );
    }
    const ramp = picture(
      1,
      100,
      Array.from({ length: 100 }, (_, i) => 2 * i),
    );
    const mean = (a: Uint8Array) => a.reduce((sum, v) => sum + v, 0) / a.length;
    expect(mean(resize(ramp, 1, 7).data)).toBeAllClose(mean(ramp.data), { abs: 0.5 });
  });
});

test("grey is the brightness of BT.601, and grey in three channels has that brightness", () => {
  expect(Array.from(toGrey(picture(1, 2, [255, 0, 0, 255, 0, 0], 3)).data)).toEqual([76, 150]);
  const grey = picture(1, 2, [17, 200]);
  expect(toGrey(toRgb(grey))).toEqual(grey);
});
