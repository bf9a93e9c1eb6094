import { expect, test } from "vitest";
import { streamOf } from "./draws.ts";

test("streams of methods and steps are all different, and apart from those of noise and of Brownian paths", () => {
  const streams = (["icg", "tsg", "cads"] as const).flatMap((purpose) =>
    [0, 1, 999, 2 ** 32].map((step) => streamOf(purpose, step)),
  );
  expect(new Set(streams).size).toBe(12);
  for (const stream of streams) {
    expect(stream).toBeGreaterThan(2 ** 40);
    expect(stream).toBeLessThan(2 ** 52);
    expect(Number.isSafeInteger(stream)).toBe(true);
  }
});
