import { expect, test } from "vitest";
import { duration, progressLine } from "./progress.ts";

test("the line says step, image, loss, speed and time left", () => {
  const info = {
    step: 1200,
    steps: 4096,
    images: 4_915_200,
    total: 16_777_216,
    loss: 0.012345,
    imagesPerSecond: 5210.4,
    eta: 192.4,
  };
  expect(progressLine(info)).toBe("step 1200/4096  image 4.9M/16.8M  loss 0.01235  5210 img/s  ETA 3m 12s");
});

test("counts and speeds keep their digits where they are small", () => {
  const info = {
    step: 1,
    steps: 2,
    images: 950,
    total: 51_200,
    loss: 12.5,
    imagesPerSecond: 4.256,
    eta: Infinity,
  };
  expect(progressLine(info)).toBe("step 1/2  image 950/51.2k  loss 12.50  4.26 img/s  ETA ?");
});

test("durations round before they are split, so that no part reaches 60", () => {
  expect([0, 59.4, 59.6, 3599.7, 7500].map(duration)).toEqual(["0s", "59s", "1m 00s", "1h 00m", "2h 05m"]);
});
