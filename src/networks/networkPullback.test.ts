import { afterAll, describe, expect, test } from "vitest";
import { seededNoise } from "../base/philox.ts";
import { axpby, rows, scale, sub, tensor, zerosLike } from "../base/tensor.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Branch, Labels } from "../diffusion/denoiser.ts";
import { edm } from "../diffusion/preconditioning.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { rowDots } from "../testing/rowDots.ts";
import { tinyConfig, tinyParameters } from "../testing/tinyModel.ts";
import { preconditioningOf } from "../training/modelConfig.ts";
import { networkLayout } from "./network.ts";
import { networkDenoiser } from "./networkDenoiser.ts";

const runtime = nodeRuntime({ threads: 1 });
const config = tinyConfig();
const { network } = config;
const preconditioning = preconditioningOf(config.objective)!;
const denoiser = networkDenoiser(runtime, { network, parameters: tinyParameters(config), preconditioning });
afterAll(() => runtime.dispose());

const seeds = [1, 2, 3, 4, 5];
const shape = [5, 1, 8, 8];
const x = seededNoise(seeds, 0, shape, "float64");
const cotangent = seededNoise(seeds, 1, shape, "float64");
const labels: Labels = [0, 1, 2, 0, -1];

const branches: readonly (readonly [string, Branch<Labels>])[] = [
  ["with labels", { condition: labels }],
  ["without a condition", { condition: null }],
  ["with perturbed attention", { condition: labels, perturbation: { kind: "identity", layers: ["mid"] } }],
  ["told another noise level", { condition: labels, told: [0.5, 1, 2, 0.1, 3] }],
  [
    "with noise on its condition",
    {
      condition: [0, 1, 2, 0, 1],
      conditionNoise: { keep: 0.8, amount: 0.5, rescale: 0.5, seeds: [1, 2, 3, 4, 5], stream: 7 },
    },
  ],
  [
    "with masks that are drawn",
    { condition: null, perturbation: { kind: "random-mask", layers: "all", p: 0.5, seed: 3 } },
  ],
];

describe.each(branches)("the vector-Jacobian product of a network %s", (_, branch) => {
  test.each([0.1, 0.7, 5])(
    "is the slope of <cotangent, D> in each row, by central differences, at sigma %d",
    async (sigma) => {
      const at = scale(Math.hypot(1, sigma), x);
      const { gradient } = await denoiser.vjp(at, sigma, branch, cotangent);
      const direction = seededNoise(seeds, 2, shape, "float64");
      const difference = async (h: number): Promise<number[]> => {
        const ask = (step: number) => denoiser.denoise(axpby(1, at, step, direction), sigma, [branch]);
        const [[up], [down]] = [await ask(h), await ask(-h)];
        return rowDots(cotangent, sub(up, down)).map((value) => value / (2 * h));
      };
      // Richardson's extrapolation, for an error of h^4.
      const h = 0.02 * Math.hypot(1, sigma);
      const [near, far] = [await difference(h), await difference(2 * h)];
      const slopes = near.map((value, row) => (4 * value - far[row]) / 3);
      expect(rowDots(gradient, direction)).toBeAllClose(slopes, { abs: 3e-3, rel: 1e-3 });
    },
  );

  test("comes with the prediction, bit for bit", async () => {
    const { denoised } = await denoiser.vjp(x, 0.7, branch, cotangent);
    const [want] = await denoiser.denoise(x, 0.7, [branch]);
    expect(denoised).toBeAllClose(want, { abs: 1e-6 });
  });
});

describe("the vector-Jacobian product", () => {
  const pull = async (at: Tensor, v: Tensor, condition: Labels | null = labels): Promise<Tensor> =>
    (await denoiser.vjp(at, 0.7, { condition }, v)).gradient;

  test("is linear in the cotangent and 0 for 0", async () => {
    const other = seededNoise(seeds, 3, shape, "float64");
    const sum = await pull(x, axpby(2, cotangent, -3, other));
    expect(sum).toBeAllClose(axpby(2, await pull(x, cotangent), -3, await pull(x, other)), { abs: 1e-5 });
    expect((await pull(x, zerosLike(x))).data.every((value) => value === 0)).toBe(true);
  });

  test("a row does not depend on the others", async () => {
    const whole = await pull(x, cotangent);
    const third = await pull(rows(x, 2, 3), rows(cotangent, 2, 3), [2]);
    expect(third).toBeAllClose(rows(whole, 2, 3), { abs: 1e-6 });
  });

  test("of a network that predicts 0 is cSkip times the cotangent, to the last bit", async () => {
    const parameters = new Float32Array(networkLayout(network).size);
    const silent = networkDenoiser(runtime, { network, parameters, preconditioning });
    const { gradient } = await silent.vjp(x, 0.7, { condition: null }, cotangent);
    const { cSkip } = edm();
    expect(gradient.data).toEqual(cotangent.data.map((value) => cSkip(0.7) * value));
  });

  test("a network of a density, itself a gradient, is differentiated again", async () => {
    const density = { kind: "density", dims: 2, layers: 2, hidden: 8, sigmaData: 0.5 } as const;
    const { size } = networkLayout(density);
    const parameters = seededNoise([0], 0, [1, size]).data as Float32Array;
    const plane = networkDenoiser(runtime, { network: density, parameters, preconditioning });
    const points = seededNoise([1, 2, 3], 0, [3, 2], "float64");
    const v = seededNoise([1, 2, 3], 1, [3, 2], "float64");
    const along = seededNoise([1, 2, 3], 2, [3, 2], "float64");
    const { gradient } = await plane.vjp(points, 0.7, { condition: null }, v);
    const ask = async (h: number): Promise<Tensor> =>
      (await plane.denoise(axpby(1, points, h, along), 0.7, [{ condition: null }]))[0];
    const slopes = rowDots(v, sub(await ask(3e-3), await ask(-3e-3))).map((value) => value / 6e-3);
    expect(rowDots(gradient, along)).toBeAllClose(slopes, { abs: 2e-3, rel: 2e-3 });
  });

  test("refuses a cotangent of another shape", async () => {
    const flat = tensor(cotangent.data, [5, 64]);
    await expect(denoiser.vjp(x, 0.7, { condition: null }, flat)).rejects.toThrow("[1, 8, 8]");
  });
});
