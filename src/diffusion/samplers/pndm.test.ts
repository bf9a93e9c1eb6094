import { describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { axpby, axpy, scale, tensor } from "../../base/tensor.ts";
import { alphaBars, scaledLinearBetas, timestepSigmas } from "../betas.ts";
import type { Evaluate } from "../denoiser.ts";
import { last } from "../last.ts";
import { gaussian } from "../oracles/gaussian.ts";
import { gaussianMixture } from "../oracles/mixture.ts";
import { karras } from "../sigmas.ts";
import { extrapolated } from "./adamsBashforth.ts";
import { euler } from "./euler.ts";
import { heun } from "./heun.ts";
import { ipndm } from "./ipndm.ts";
import { lms } from "./lms.ts";
import { pndm } from "./pndm.ts";
import type { PndmOptions } from "./pndm.ts";
import { takenFor } from "./timesteps.ts";

const mixture = gaussianMixture({
  weights: [0.6, 0.4],
  means: [
    [-1, 0.5],
    [1.5, -0.5],
  ],
  stds: [0.5, [0.3, 0.8]],
});
const x = scale(20, seededNoise([1, 2, 3], 0, [3, 2], "float64"));
const data = gaussian({ mean: 0.7, std: 0.5 });

/** Order seen between n and 2 n steps of a grid that `gridOf` makes, on the exact path of a Gaussian. */
async function orderSeen(
  run: (denoise: Evaluate, x: Tensor, grid: readonly number[]) => AsyncGenerator<unknown, Tensor, void>,
  gridOf: (steps: number) => readonly number[],
  steps: number,
): Promise<number> {
  const errors = [steps, 2 * steps].map(async (count) => {
    const grid = gridOf(count);
    const start = tensor(Float64Array.of(0.75 * grid[0]), [1, 1]);
    const got = await last(run(data.denoise, start, grid));
    return Math.abs(got.data[0] - data.path(start, grid[0], grid[grid.length - 1]).data[0]);
  });
  const [coarse, fine] = await Promise.all(errors);
  return Math.log2(coarse / fine);
}

const equal = (steps: number): number[] => Array.from({ length: steps + 1 }, (_, i) => 4 - (3 * i) / steps);
const uneven = (steps: number): readonly number[] => karras({ steps: steps + 1 }).slice(0, -1);

describe("Adams-Bashforth's coefficients of order", () => {
  test.each([1, 2, 3, 4])(
    "%i give the mean over the coming step of any polynomial of lower degree",
    (order) => {
      for (let degree = 0; degree < order; degree++) {
        // f(t) = t^degree at 0, -1, -2, ...: its mean over 0 to 1 is 1/(degree + 1).
        const values = Array.from({ length: order }, (_, j) => tensor(Float64Array.of((-j) ** degree), [1]));
        expect(extrapolated(values)).toBeAllClose([1 / (degree + 1)], { abs: 1e-14 });
      }
      const next = Array.from({ length: order }, (_, j) => tensor(Float64Array.of((-j) ** order), [1]));
      expect(Math.abs(extrapolated(next).data[0] - 1 / (order + 1))).toBeGreaterThan(0.1);
    },
  );
});

describe("ipndm", () => {
  test("is the linear multistep method where the sigmas are equally spaced", async () => {
    const grid = equal(12);
    for (const order of [1, 2, 3, 4]) {
      const want = await last(lms(mixture.denoise, x, grid, { order }));
      expect(await last(ipndm(mixture.denoise, x, grid, { order }))).toBeAllClose(want, { abs: 1e-11 });
    }
  });

  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 2],
  ])("with %i predictions has order %i on an uneven grid", async (order, want) => {
    const seen = await orderSeen((...given) => ipndm(...given, { order }), uneven, 512);
    expect(seen).toBeAllClose(want, { abs: 0.1 });
  });

  test("with one prediction is Euler's method", async () => {
    const grid = karras({ steps: 9, max: 20 });
    const want = await last(euler(mixture.denoise, x, grid));
    expect(await last(ipndm(mixture.denoise, x, grid, { order: 1 }))).toBeAllClose(want, { abs: 1e-12 });
  });
});

describe("pndm", () => {
  test.each(["runge-kutta", "heun"] as const)(
    "with start %s has order 2 on an uneven grid",
    async (start) => {
      const seen = await orderSeen((...given) => pndm(...given, { start }), uneven, 512);
      expect(seen).toBeAllClose(2, { abs: 0.1 });
    },
  );

  test("with v extrapolated, and read with the step's beginning, has only order 1", async () => {
    const seen = await orderSeen((...given) => pndm(...given, { space: "v" }), uneven, 512);
    expect(seen).toBeAllClose(1, { abs: 0.1 });
  });

  test("with start heun makes Heun's step first", async () => {
    const grid = [20, 7, 3];
    const [whole, step] = [
      pndm(mixture.denoise, x, grid, { start: "heun" }),
      heun(mixture.denoise, x, [20, 7]),
    ];
    await whole.next();
    const second = (await whole.next()).value as { readonly x: Tensor };
    expect(second.x).toBeAllClose(await last(step), { abs: 1e-12 });
  });

  test("with start runge-kutta makes the classical step in sigma, but for its middle at sqrt(sigma sigma')", async () => {
    // Where the slope depends on sigma alone the step is Simpson's rule with that middle: here of D = x - sigma^2, slope sigma.
    const square: Evaluate = (at, sigma) =>
      Promise.resolve({ data: at.data.map((value) => value - sigma * sigma), shape: at.shape });
    const steps = pndm(square, x, [9, 4, 3]);
    await steps.next();
    const second = (await steps.next()).value as { readonly x: Tensor };
    const want = x.data.map((value) => value + ((4 - 9) * (9 + 4 * 6 + 4)) / 6);
    expect(second.x).toBeAllClose(want, { abs: 1e-12 });
  });

  test("transfers as the paper's Eq. 11 does in alpha", () => {
    const abars = alphaBars(scaledLinearBetas());
    const [at, ap] = [abars[801], abars[601]];
    const [vp, eps] = [scale(0.1, x), seededNoise([4, 5, 6], 0, [3, 2], "float64")];
    const want = axpby(
      Math.sqrt(ap / at),
      vp,
      -(ap - at) / (at * Math.sqrt(1 - ap) + Math.sqrt(at * (1 - at) * ap)),
      eps,
    );
    const sigma = (abar: number) => Math.sqrt((1 - abar) / abar);
    const ve = axpy(sigma(ap) - sigma(at), eps, scale(1 / Math.sqrt(at), vp));
    expect(scale(Math.sqrt(ap), ve)).toBeAllClose(want, { abs: 1e-12 });
  });
});

describe("counting in timesteps", () => {
  const table = timestepSigmas(scaledLinearBetas());
  const sigmaOf = (t: number): number => (t < 0 ? 0 : table[t]);
  const grid = (values: readonly number[]): number[] => [...values.map(sigmaOf), 0];

  test.each<[string, PndmOptions]>([
    ["heun", { start: "heun" }],
    ["heun, v", { start: "heun", space: "v" }],
  ])("changes nothing where every timestep is the one before less the stride: %s", async (_name, options) => {
    const values = [900, 700, 500, 300, 100];
    const want = await last(pndm(mixture.denoise, x, grid(values), options));
    const timesteps = { values, stride: 200, sigmaOf };
    expect(await last(pndm(mixture.denoise, x, grid(values), { ...options, timesteps }))).toBeAllClose(want, {
      abs: 1e-12,
    });
  });

  test("puts the middle of a Runge-Kutta step at the middle timestep", async () => {
    const values = [900, 700, 500];
    const seen: number[] = [];
    const watched: Evaluate = (at, sigma) => (seen.push(sigma), mixture.denoise(at, sigma));
    await last(pndm(watched, x, grid(values), { timesteps: { values, stride: 200, sigmaOf } }));
    expect(seen).toEqual([900, 800, 800, 700, 700, 600, 600, 500, 500].map(sigmaOf));
  });

  test("takes a sample for one of another level by its variance-preserving form", () => {
    const [at, as] = [3, 0.5];
    const preserved = (y: Tensor, sigma: number): Tensor => scale(1 / Math.hypot(1, sigma), y);
    expect(preserved(takenFor(x, at, as), as)).toBeAllClose(preserved(x, at), { rel: 1e-15 });
    expect(takenFor(x, at, at)).toBe(x);
  });
});
