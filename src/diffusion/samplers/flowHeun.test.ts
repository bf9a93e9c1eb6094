import { expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, scale } from "../../base/tensor.ts";
import { last } from "../last.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { fromX0, straightPath } from "../parameterisation.ts";
import { euler } from "./euler.ts";
import { flowHeun } from "./flowHeun.ts";
import { heun } from "./heun.ts";

const mixture = gaussianMixture({
  weights: [0.6, 0.4],
  means: [
    [-1, 0.5],
    [1.5, -0.5],
  ],
  stds: [0.5, [0.3, 0.8]],
});
const z = seededNoise([3, 4, 5], 0, [3, 2], "float64");

/** Flow times from near 1 to 0, and the same as noise levels. */
const times = [0.99, 0.9, 0.75, 0.5, 0.25, 0.1, 0];
const sigmas = times.map((t) => t / (1 - t));

/** The velocity of the exact denoiser at y = (1 - t) x0 + t noise. */
function velocity(y: Tensor, t: number): Tensor {
  const sigma = t / (1 - t);
  return fromX0("velocity", mixture.denoised(scale(1 / (1 - t), y), sigma), y, straightPath(sigma));
}

/** Heun's method as flow matching writes it, in t. */
function heunInTime(y: Tensor): Tensor {
  for (let i = 0; i + 1 < times.length; i++) {
    const h = times[i + 1] - times[i];
    const v = velocity(y, times[i]);
    const ahead = axpy(h, v, y);
    if (times[i + 1] === 0) return ahead;
    y = axpy(h / 2, axpby(1, v, 1, velocity(ahead, times[i + 1])), y);
  }
  return y;
}

test("flow-heun in sigma is Heun's method in flow time", async () => {
  const start = scale(1 / (1 - times[0]), z);
  expect(await last(flowHeun(mixture.denoise, start, sigmas))).toBeAllClose(heunInTime(z), { abs: 1e-11 });
});

test("it is another method than heun, which takes the mean of slopes in sigma", async () => {
  const start = scale(1 / (1 - times[0]), z);
  const [flow, karras] = [
    await last(flowHeun(mixture.denoise, start, sigmas)),
    await last(heun(mixture.denoise, start, sigmas)),
  ];
  expect(Math.max(...flow.data.map((value, i) => Math.abs(value - karras.data[i])))).toBeGreaterThan(1e-2);
});

test("euler in sigma is Euler's method in flow time", async () => {
  let y = z;
  for (let i = 0; i + 1 < times.length; i++) y = axpy(times[i + 1] - times[i], velocity(y, times[i]), y);
  const got = await last(euler(mixture.denoise, scale(1 / (1 - times[0]), z), sigmas));
  expect(got).toBeAllClose(y, { abs: 1e-12 });
});

test("the start may be noise alone: a noise level of 1e10 is t = 1 to full precision", async () => {
  const far = [1e10, ...sigmas.slice(1)];
  const got = await last(flowHeun(mixture.denoise, scale(1e10, z), far));
  const near = await last(flowHeun(mixture.denoise, scale(1e8, z), [1e8, ...sigmas.slice(1)]));
  expect(got).toBeAllClose(near, { abs: 1e-6 });
  for (const value of got.data) expect(Number.isFinite(value)).toBe(true);
});
