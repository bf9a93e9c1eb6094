import { expect, test } from "vitest";
import type { Tensor } from "../../base/tensor.ts";
import {
  observedOrders,
  recordCalls,
  startAt,
  statesOf,
  stepNoise,
  twoGaussians,
} from "../../testing/samplerRuns.ts";
import { last } from "../last.ts";
import { karras } from "../sigmas.ts";
import { dpmMultistep } from "./dpmMultistep.ts";
import { dpmpp2mSde } from "./dpmpp2mSde.ts";
import { resMultistep, resMultistepAncestral } from "./resMultistep.ts";

const grid = karras({ steps: 8, min: 0.05, max: 20 });
const start = startAt(grid[0]);

/**
 * res_multistep as ComfyUI computes it (a description of its arithmetic, in lambda = -ln sigma): c2 is the distance from the last step's lower
 * level back to its beginning over h, and the step is e^-h x + h (b1 D + b2 D_previous), b2 = phi_2(-h)/c2, b1 = phi_1(-h) - b2.
 */
async function asInComfyUi(eta: number): Promise<Tensor[]> {
  const states: Tensor[] = [start];
  let x = start;
  let old: { D: Tensor; lambdaDown: number; lambda: number } | undefined;
  for (let i = 0; i + 1 < grid.length; i++) {
    const [sigma, next] = [grid[i], grid[i + 1]];
    const D = await twoGaussians.denoise(x, sigma);
    const up = Math.min(next, eta * Math.sqrt((next ** 2 * (sigma ** 2 - next ** 2)) / sigma ** 2));
    const down = Math.sqrt(next ** 2 - up ** 2);
    const lambda = -Math.log(sigma);
    const h = -Math.log(down) - lambda;
    const phi1 = Math.expm1(-h) / -h;
    const phi2 = (phi1 - 1) / -h;
    const c2 = old && (old.lambda - old.lambdaDown) / h;
    const fresh = next > 0 && eta > 0 ? stepNoise(i, x.shape, { from: sigma, to: next }).data : undefined;
    const [before, past] = [x, old];
    const data = before.data.map((value, k) => {
      const mean =
        down === 0 || past === undefined
          ? value + ((value - D.data[k]) / sigma) * (down - sigma)
          : Math.exp(-h) * value + h * ((phi1 - phi2 / c2!) * D.data[k] + (phi2 / c2!) * past.D.data[k]);
      return mean + (fresh ? up * fresh[k] : 0);
    });
    x = { data, shape: x.shape };
    old = { D, lambdaDown: -Math.log(down), lambda };
    states.push(x);
  }
  return states;
}

test.each([0, 0.5, 1])("takes the steps that ComfyUI takes: eta %f", async (eta) => {
  const got = await statesOf(resMultistep(twoGaussians.denoise, start, grid, { eta, noise: stepNoise }));
  (await asInComfyUi(eta)).forEach((state, i) =>
    expect(got[i]).toBeAllClose(state, { abs: 1e-12, rel: 1e-12 }),
  );
});

test("without noise it is DPM-Solver++ in two steps with heun", async () => {
  const options = { solver: "heun", lowerOrderFinal: false } as const;
  const want = await statesOf(dpmMultistep(twoGaussians.denoise, start, grid, options));
  const got = await statesOf(resMultistep(twoGaussians.denoise, start, grid));
  want.forEach((state, i) => expect(got[i]).toBeAllClose(state, { abs: 1e-13, rel: 1e-13 }));
});

test("ancestral with eta 1 it is SDE-DPM-Solver++(2M) with heun", async () => {
  const noise = stepNoise;
  const want = await statesOf(dpmpp2mSde(twoGaussians.denoise, start, grid, { solver: "heun", noise }));
  const got = await statesOf(resMultistepAncestral(twoGaussians.denoise, start, grid, { noise }));
  want.forEach((state, i) => expect(got[i]).toBeAllClose(state, { abs: 1e-12, rel: 1e-12 }));
});

test("the ancestral one with eta 0 is the one without noise", async () => {
  const got = resMultistepAncestral(twoGaussians.denoise, start, grid, { eta: 0 });
  expect((await last(got)).data).toEqual((await last(resMultistep(twoGaussians.denoise, start, grid))).data);
});

test("noiseScale scales the noise of a step and nothing else", async () => {
  const once = async (noiseScale: number): Promise<Tensor> =>
    last(
      resMultistepAncestral(twoGaussians.denoise, start, grid.slice(0, 2), { noise: stepNoise, noiseScale }),
    );
  const [none, one, half] = [await once(0), await once(1), await once(0.5)];
  none.data.forEach((value, k) => {
    expect(half.data[k]).toBeAllClose((value + one.data[k]) / 2, { abs: 1e-13 });
    expect(one.data[k]).not.toBe(value);
  });
});

test("so much noise that a step goes down to 0 starts the next one from the prediction", async () => {
  // eta so large that up = next and down = 0 in every step.
  const noise = stepNoise;
  const states = await statesOf(resMultistep(twoGaussians.denoise, start, grid, { eta: 50, noise }));
  for (const state of states) expect(state.data.every(Number.isFinite)).toBe(true);
  const D = await twoGaussians.denoise(start, grid[0]);
  const z = noise(0, start.shape, { from: grid[0], to: grid[1] }).data;
  expect(states[1]).toBeAllClose(
    D.data.map((d, k) => d + grid[1] * z[k]),
    { abs: 1e-12 },
  );
});

test("converges with order 2", async () => {
  for (const one of await observedOrders((...rest) => resMultistep(...rest)))
    expect(one).toBeAllClose(2, { abs: 0.1 });
});

test("one evaluation a step, with the number of the step", async () => {
  const { calls } = await recordCalls((denoise) =>
    resMultistepAncestral(denoise, start, grid, { noise: stepNoise }),
  );
  expect(calls).toEqual(grid.slice(0, -1).map((sigma, i) => [sigma, i]));
});
