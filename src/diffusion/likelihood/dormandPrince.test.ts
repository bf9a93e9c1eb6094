import { expect, test } from "vitest";
import { dormandPrince } from "./dormandPrince.ts";

/** y' = (cos t) y and z' = -z: y = exp(sin t), z = exp(-t). */
const slope = (t: number, [y, z]: Float64Array): Promise<Float64Array> =>
  Promise.resolve(Float64Array.of(Math.cos(t) * y, -z));

/** The error at t = 6 and the slopes that were asked for. */
async function run(tolerance: number): Promise<{ error: number; evaluations: number; times: number[] }> {
  const times: number[] = [];
  const watched = (t: number, y: Float64Array) => (times.push(t), slope(t, y));
  const [y, z] = await dormandPrince(watched, Float64Array.of(1, 1), [0, 6], {
    rtol: tolerance,
    atol: tolerance,
  });
  const error = Math.max(Math.abs(y - Math.exp(Math.sin(6))), Math.abs(z - Math.exp(-6)));
  return { error, evaluations: times.length, times };
}

test.each([1e-3, 1e-6, 1e-9])("the error at the end is about the tolerance %d", async (tolerance) => {
  const { error } = await run(tolerance);
  expect(error).toBeLessThan(5 * tolerance);
  expect(error).toBeGreaterThan(tolerance / 1e4); // no more work than was asked for
});

test("a tolerance 10^5 times smaller takes about ten times the steps: order 5", async () => {
  const [loose, tight] = [await run(1e-6), await run(1e-11)];
  const ratio = (tight.evaluations - 1) / (loose.evaluations - 1);
  expect(ratio).toBeGreaterThan(7);
  expect(ratio).toBeLessThan(13);
});

test("slopes are asked for inside the interval, up to its end", async () => {
  const { times } = await run(1e-5);
  expect(Math.min(...times)).toBe(0);
  expect(Math.max(...times)).toBe(6);
  expect((times.length - 1) % 6).toBe(0);
});

test("polynomials of degree 5 are integrated exactly", async () => {
  const [y] = await dormandPrince(
    (t) => Promise.resolve(Float64Array.of(5 * t ** 4)),
    Float64Array.of(2),
    [0, 1],
    {
      rtol: 1,
      atol: 1,
    },
  );
  expect(y).toBeAllClose(3, { rel: 1e-14 });
});

test("what was given is not written to", async () => {
  const y = Float64Array.of(1, 1);
  await dormandPrince(slope, y, [0, 1], { rtol: 1e-3, atol: 1e-3 });
  expect(y).toEqual(Float64Array.of(1, 1));
});

test("a slope that is not a number is refused where it is met", async () => {
  const broken = (t: number) => Promise.resolve(Float64Array.of(t > 0.5 ? NaN : 1));
  await expect(dormandPrince(broken, Float64Array.of(0), [0, 1], { rtol: 1e-3, atol: 1e-3 })).rejects.toThrow(
    /cannot be followed to the tolerance at 0\.[45]/,
  );
});
