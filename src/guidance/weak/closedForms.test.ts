/** Weak methods on Gaussians, whose guided paths are known: what the sampler ends with is a formula. */
import { describe, expect, test } from "vitest";
import { type Tensor, map, tensor } from "../../base/tensor.ts";
import type { Denoiser, Labels } from "../../diffusion/denoiser.ts";
import { last } from "../../diffusion/last.ts";
import { heun } from "../../diffusion/samplers/heun.ts";
import { karras } from "../../diffusion/sigmas.ts";
import { toyDenoiser } from "../../testing/toyModel.ts";
import { buildGuidance } from "../build.ts";
import { compose } from "../guidance.ts";
import { guide } from "../guide.ts";
import type { GuidanceResources } from "../resources.ts";
import { gaussianMatrix } from "../../graph/perturb/blur.ts";
import { sag } from "./selfAttention.ts";
import { swg } from "./slidingWindows.ts";

const MAX = 20;
const sigmas = karras({ steps: 192, min: 1e-3, max: MAX });

/** x(0)/x(MAX) of a Gaussian of variance a guided with weight w by one of variance b, of the same mean. */
const shrinks = (a: number, b: number, w: number): number =>
  (a / (a + MAX ** 2)) ** (w / 2) * (b / (b + MAX ** 2)) ** ((1 - w) / 2);

describe("a network made worse that predicts a wider Gaussian", () => {
  // The toy's class c has mean c + 1 and variance 0.25; perturbed, whatever the way, 2.25 times that.
  const labels: Labels = [0, 3];
  const resources: GuidanceResources = { conditional: true, attention: ["mid.0"] };
  const start = tensor(Float64Array.from([25, -14, 3, 40]), [2, 2]);
  const mean = (i: number): number => labels[Math.floor(i / 2)] + 1;

  test.each([
    ["pag:0.5", 1.5],
    ["pag:1,kind=soft-identity", 2],
    ["seg:1", 2],
    ["slg:0.5", 1.5],
    ["stg:1", 2],
    ["tpg:1", 2],
    ["s2:0.25", 1.25],
    ["self-autoguidance:2", 2],
    ["self-autoguidance:0.5", 0.5],
    ["pag:1.5,form=diffusers", 1.5],
  ])("%s ends with variance a^w * b^(1 - w), w = %d", async (spec, w) => {
    const { evaluate } = guide(toyDenoiser(0.5), labels, buildGuidance(spec, resources));
    const got = await last(heun(evaluate, start, sigmas));
    const want = start.data.map((value, i) => mean(i) + (value - mean(i)) * shrinks(0.25, 0.5625, w));
    expect(got).toBeAllClose(want, { abs: 1e-3, rel: 1e-3 });
  });

  test("seg beside cfg adds the move of unconditional predictions: conditions shift, as CFG shifts them", async () => {
    // All of it is affine: D = m + f*(x - m) of a law with mean m; only the means differ between conditions.
    const run = async (spec: string, sigma: number) => {
      const { evaluate } = guide(toyDenoiser(0.5), labels, buildGuidance(spec, resources));
      return (await evaluate(start, sigma)).data;
    };
    for (const sigma of [0.2, 1, 5]) {
      const [both, cfg] = [await run("cfg:3+seg:1.5", sigma), await run("cfg:3", sigma)];
      const [f, weak] = [0.25, 0.5625].map((variance) => variance / (variance + sigma ** 2));
      const want = start.data.map((value, i) => cfg[i] + 1.5 * (f - weak) * value);
      expect(both).toBeAllClose(want, { abs: 1e-12 });
    }
  });
});

const SIDE = 4;
const image = (f: (row: number, column: number) => number): Tensor =>
  tensor(
    Float64Array.from({ length: SIDE ** 2 }, (_, i) => f(Math.floor(i / SIDE), i % SIDE)),
    [1, 1, SIDE, SIDE],
  );
const constant = image(() => 1);
const checkers = image((row, column) => (-1) ** (row + column));

/**
 * The exact denoiser of square images whose pixels are m + n, m ~ N(0, shared) one for all and n ~ N(0, own) each its own. Windows of
 * such images are such images, so that it is exact for them too.
 */
function gaussianImages(side: number, shared: number, own: number): Denoiser {
  const pixels = side ** 2;
  return {
    shape: [1, side, side],
    denoise(x, sigma, branches) {
      const [alone, together] = [own, own + pixels * shared].map((v) => v / (v + sigma ** 2));
      const mean = Array.from(x.data).reduce((a, b) => a + b) / pixels;
      const denoised = map((value) => alone * (value - mean) + together * mean, x);
      return Promise.resolve(branches.map(() => denoised));
    },
    attended: (x) => Promise.resolve([map(() => 1, tensor([1], [x.shape[0], 1, 1]))]),
  };
}

describe("SWG on images with a shared level", () => {
  const [shared, own] = [0.5, 0.09];
  const guided = (weight: number, side: number, level = shared) => {
    const term = swg<Labels>({ weight, network: gaussianImages(side, level, own) });
    return guide(gaussianImages(SIDE, level, own), null, compose([term])).evaluate;
  };

  test("takes the shared level as CFG takes a condition: variance a^w * b^(1 - w) of image and window", async () => {
    // Along constant images windows and image agree on the direction: own + 16 shared for the image, own + 9 shared for a window.
    for (const [weight, side] of [
      [1.5, 3],
      [2, 3],
      [2, 2],
    ]) {
      const start = map((value) => 10 * value, constant);
      const got = await last(heun(guided(weight, side), start, sigmas));
      const factor = shrinks(own + 16 * shared, own + side ** 2 * shared, weight);
      expect(got).toBeAllClose(
        map((value) => factor * value, start),
        { rel: 1e-3 },
      );
      // More than the plain network keeps: images differ more in their level.
      expect(factor).toBeGreaterThan(shrinks(own + 16 * shared, 1, 1));
    }
  });

  test("leaves what every window sees whole: checkers in windows of an even side", async () => {
    const start = map((value) => 10 * value, checkers);
    const got = await last(heun(guided(3, 2), start, sigmas));
    expect(got).toBeAllClose(
      map((value) => shrinks(own, 1, 1) * value, start),
      { rel: 1e-3 },
    );
  });

  test("does nothing where pixels have nothing to do with one another, at any weight", async () => {
    const x = image((row, column) => Math.sin(5 * row + column ** 2));
    for (const sigma of [0.1, 1, 10]) {
      const [want] = await gaussianImages(SIDE, 0, own).denoise(x, sigma, [{ condition: null }]);
      for (const weight of [-1, 0, 2, 100])
        expect(await guided(weight, 3, 0)(x, sigma)).toBeAllClose(want, { abs: 1e-13 });
    }
  });
});

describe("SAG on white Gaussian images", () => {
  const variance = 0.09;
  const taps = 3;
  const guided = (scale: number, threshold = 0) => {
    const blur = { sigma: 1, kernel: taps, threshold };
    const term = sag<Labels>({ weight: scale + 1, layers: "all", blur });
    return guide(gaussianImages(SIDE, 0, variance), null, compose([term])).evaluate;
  };

  test("is a*x + s*a*(1 - a)*(blur(x) - x) with a = v/(v + sigma^2)", async () => {
    const x = image((row, column) => Math.cos(3 * row + column ** 2));
    const matrix = gaussianMatrix(SIDE, taps, 1);
    const blurred = image((row, column) => {
      let sum = 0;
      for (let h = 0; h < SIDE; h++)
        for (let w = 0; w < SIDE; w++)
          sum += matrix[row * SIDE + h] * matrix[column * SIDE + w] * x.data[h * SIDE + w];
      return sum;
    });
    for (const sigma of [0.1, 0.3, 2]) {
      const a = variance / (variance + sigma ** 2);
      const want = map((value, i) => a * value + 1.5 * a * (1 - a) * (blurred.data[i] - value), x);
      expect(await guided(1.5)(x, sigma)).toBeAllClose(want, { abs: 1e-13 });
    }
  });

  test("shrinks checkers by exp(-s*(1 - g)/2) beyond their own law, g what the blur leaves of them", async () => {
    // Mirrored at the border an alternating line stays one: taps -e, 1, -e of sum 1 + 2e, in both directions.
    const e = Math.exp(-0.5);
    const g = ((1 - 2 * e) / (1 + 2 * e)) ** 2;
    const start = map((value) => 10 * value, checkers);
    for (const scale of [0.75, 2]) {
      const got = await last(heun(guided(scale), start, sigmas));
      const noise = MAX ** 2 / (variance + MAX ** 2);
      const factor = shrinks(variance, 1, 1) * Math.exp(-0.5 * scale * (1 - g) * noise);
      expect(got).toBeAllClose(
        map((value) => factor * value, start),
        { rel: 2e-3 },
      );
    }
  });

  test("leaves constant images, and everything where nothing receives more than the mean", async () => {
    for (const sigma of [0.1, 1, 10]) {
      const [of, at] = [constant, checkers].map((x) =>
        map((value) => (value * variance) / (variance + sigma ** 2), x),
      );
      expect(await guided(5)(constant, sigma)).toBeAllClose(of, { abs: 1e-14 });
      // Even attention is not above its mean.
      expect(await guided(5, 1)(checkers, sigma)).toBeAllClose(at, { abs: 1e-14 });
    }
  });
});
