/** What each correction promises; rescale has a file of its own. */
import { expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import type { Tensor } from "../../base/tensor.ts";
import { extrapolate } from "../combine/extrapolate.ts";
import { golden, pairOf } from "../../testing/pairs.ts";
import type { Adjust } from "../guidance.ts";
import { channelNorm } from "./channelNorm.ts";
import { energy } from "./energy.ts";
import { epsilonScaling } from "./epsilonScaling.ts";
import { momentum } from "./momentum.ts";
import { threshold } from "./threshold.ts";

const guided = extrapolate(golden.strong, [{ weight: 3, denoised: golden.weak }]);
const norm = (values: ArrayLike<number>): number =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));

/** What corrections of some predictions in a row give. */
function steps(adjust: Adjust, predictions: readonly Tensor[], x = pairOf().x, sigma = 1): Tensor[] {
  let state = adjust.init?.(1, 0);
  return predictions.map((denoised, step) => {
    const result = adjust.adjust({ ...pairOf({ x, sigma, step }), denoised }, state);
    state = result.state;
    return result.denoised;
  });
}

test("dynamic thresholding of CFG at weight 3, percentile 0.995", () => {
  const [got] = steps(threshold({ percentile: 0.995 }), [guided]);
  // By an independent implementation (torch's linear quantile): s = 3.985.
  expect(got).toBeAllClose([0.501882, 1, -0.752823, 0.627353], { abs: 5e-7 });
});

test("dynamic thresholding leaves alone what is within [-1, 1]", () => {
  const inside = tensor(Float64Array.of(0.2, -1, 0.9, 0), [1, 1, 2, 2]);
  expect(steps(threshold({ percentile: 1 }), [inside])[0].data).toEqual(inside.data);
});

test("energy-preserving guidance has the strong prediction's norm", () => {
  const [got] = steps(energy({ amount: 1, space: "x0" }), [guided]);
  expect(norm(got.data)).toBeAllClose(norm(golden.strong.data), { rel: 1e-14 });
  expect(got.data[1] / got.data[0]).toBeAllClose(guided.data[1] / guided.data[0], { rel: 1e-14 });
});

test("CFG-norm caps each position's norm over the channels, and only where it is larger", () => {
  // Two channels of two positions: the first position grew, the second shrank.
  const strong = tensor(Float64Array.of(3, 1, 4, 0), [1, 2, 1, 2]);
  const denoised = tensor(Float64Array.of(6, 0.5, 8, 0), [1, 2, 1, 2]);
  const { adjust } = channelNorm({ amount: 1, space: "x0" });
  const moment = pairOf({ strong, weak: strong, x: tensor(new Float64Array(4), [1, 2, 1, 2]) });
  const got = adjust({ ...moment, denoised }, undefined).denoised;
  expect(got).toBeAllClose([3, 0.5, 4, 0], { abs: 1e-15 });
  // Qwen-Image brings the second one up; half of it to the mean of both.
  for (const [amount, want] of [
    [1, [3, 1, 4, 0]],
    [0.5, [4.5, 0.75, 6, 0]],
  ] as const) {
    const both = channelNorm({ amount, space: "x0", form: "qwen-image" });
    expect(both.adjust({ ...moment, denoised }, undefined).denoised).toBeAllClose(want, { abs: 1e-15 });
  }
});

test("momentum moves away from the running average of the predictions before", () => {
  const at = (value: number): Tensor => tensor(Float64Array.of(value), [1, 1]);
  const [a, b] = [0.5, 0.6];
  const got = steps(momentum({ amount: a, decay: b, space: "x0" }), [at(1), at(2), at(4)], at(0));
  // m: 1, then 0.4 * 1 + 0.6 * 1 = 1, then 0.4 * 2 + 0.6 * 1 = 1.4
  expect(got.map(({ data }) => data[0])).toBeAllClose([1, 2 + a * (2 - 1), 4 + a * (4 - 1.4)], {
    abs: 1e-15,
  });
});

test("epsilon scaling divides the predicted noise", () => {
  const x = tensor(Float64Array.of(1, -1, 2, 0.5), [1, 1, 2, 2]);
  const sigma = 2.5;
  const [got] = steps(epsilonScaling({ factor: 1.25 }), [guided], x, sigma);
  const eps = (d: Tensor): number[] => Array.from(d.data, (value, i) => (x.data[i] - value) / sigma);
  expect(eps(got)).toBeAllClose(
    eps(guided).map((value) => value / 1.25),
    { abs: 1e-14 },
  );
});

test("an amount or factor that is off changes nothing, bit for bit", () => {
  for (const off of [
    energy({ amount: 0, space: "eps" }),
    channelNorm({ amount: 0, space: "velocity" }),
    momentum({ amount: 0, decay: 0.6 }),
    epsilonScaling({ factor: 1 }),
  ])
    expect(steps(off, [guided, golden.strong]).map(({ data }) => data)).toEqual([
      guided.data,
      golden.strong.data,
    ]);
});
