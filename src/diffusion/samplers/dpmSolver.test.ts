import { expect, test } from "vitest";
import { axpby, tensor } from "../../base/tensor.ts";
import { last } from "../last.ts";
import { gaussian } from "../oracles/gaussian.ts";
import { dpmAdaptive } from "./dpmAdaptive.ts";
import { dpmFast } from "./dpmFast.ts";
import { dpmSolverStep, epsOf } from "./dpmSolver.ts";

const data = gaussian({ mean: 0.7, std: 0.5 });
const x = tensor(Float64Array.of(6), [1, 1]);
const exact = data.path(x, 8, 0.05).data[0];

test.each([1, 2, 3])(
  "a step of order %i converges with that order to the exact path of a Gaussian",
  async (order) => {
    const error = async (steps: number): Promise<number> => {
      const at = (i: number): number => -Math.log(8) + (i / steps) * Math.log(8 / 0.05);
      let y = x;
      for (let i = 0; i < steps; i++) {
        const sigma = Math.exp(-at(i));
        const e = axpby(1 / sigma, y, -1 / sigma, data.denoised(y, sigma));
        y = (await dpmSolverStep(epsOf(data.denoise, i), y, e, [at(i), at(i + 1)], order)).x;
      }
      return Math.abs(y.data[0] - exact);
    };
    const [coarse, fine] = [await error(128), await error(256)];
    expect(Math.log2(coarse / fine)).toBeAllClose(order, { abs: 0.1 });
  },
);

test("dpm-fast in 30 evaluations is nearer to the exact path than Euler's method in 3,000", async () => {
  const grid = Array.from({ length: 31 }, (_, i) => 8 - (i / 30) * 7.95);
  const got = await last(dpmFast(data.denoise, x, grid));
  expect(Math.abs(got.data[0] - exact)).toBeLessThan(1e-3);
});

test("dpm-adaptive comes nearer to the exact path as its tolerances shrink, with more evaluations", async () => {
  const run = async (tolerance: number): Promise<{ error: number; evaluations: number }> => {
    let evaluations = 0;
    const options = { rtol: tolerance, atol: tolerance / 10 };
    const got = await last(
      dpmAdaptive((y, sigma) => (evaluations++, data.denoise(y, sigma)), x, [8, 0.05], options),
    );
    return { error: Math.abs(got.data[0] - exact), evaluations };
  };
  const [loose, middle, tight] = [await run(0.05), await run(1e-3), await run(1e-5)];
  expect(middle.error).toBeLessThan(loose.error);
  expect(tight.error).toBeLessThan(middle.error / 10);
  expect(tight.evaluations).toBeGreaterThan(middle.evaluations);
});
