import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { philox } from "../base/philox.ts";
import { differences, pulledBack } from "../diffusion/likelihood/jacobian.ts";
import { logLikelihood } from "../diffusion/likelihood/likelihood.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { saveTinyModel } from "../testing/tinyModel.ts";
import { mixtureOfData } from "../training/objectives/exactScore.ts";
import { dataLikelihood } from "./likelihood.ts";
import { type Model, openModel } from "./model.ts";

const runtime = nodeRuntime({ threads: 1 });
let root: string;
let tree: Model;
let clothes: Model;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "fairlead-likelihood-"));
  [tree, clothes] = await Promise.all([openModel(runtime, "tree"), openModel(runtime, "fashion-mnist")]);
});
afterAll(async () => {
  await tree.dispose();
  await clothes.dispose();
  await runtime.dispose();
  await rm(root, { recursive: true, force: true });
});

describe("the tree's network", () => {
  test("has a density that integrates to 1 over the plane", async () => {
    // At sigma 0.5 hardly a detail is finer than the grid. Whatever the network, the ODE moves mass and makes none.
    const [step, side] = [0.15, 61];
    const at = (i: number) => (i - (side - 1) / 2) * step;
    const x = Float64Array.from({ length: 2 * side * side }, (_, i) =>
      at(i % 2 === 0 ? (i >> 1) % side : Math.floor((i >> 1) / side)),
    );
    const plane = { data: x, shape: [side * side, 2] };
    const { nats } = await logLikelihood(pulledBack(tree.denoiser), plane, {
      sigmaMin: 0.5,
      sigmaMax: 5,
      rtol: 1e-4,
      atol: 1e-4,
    });
    expect(nats.reduce((sum, value) => sum + Math.exp(value) * step * step, 0)).toBeAllClose(1, {
      abs: 1e-3,
    });
  });

  test("gives data the likelihood that its density has, somewhat below the exact one", async () => {
    const { nats, exact, labels, data, bitsPerDimension } = await dataLikelihood(tree, {
      count: 400,
      steps: 64,
    });
    const truth = mixtureOfData(tree.config.data);
    expect(data).toBe("tree");
    expect(labels).toBe(null);
    expect(exact![7]).toBe(truth.logDensity(truth.sample(philox(7, 0), 1), 0.002)[0]);
    // The mean of the difference is a Kullback-Leibler distance: positive; 0.36 was measured over 1,000.
    const lost = exact!.reduce((sum, value, i) => sum + value - nats[i], 0) / 400;
    expect(lost).toBeGreaterThan(0.1);
    expect(lost).toBeLessThan(0.6);
    expect(bitsPerDimension[3]).toBeAllClose(-nats[3] / 2 / Math.LN2, { rel: 1e-14 });
  });

  test("has the same likelihood by differences of its predictions", async () => {
    const truth = mixtureOfData(tree.config.data);
    const x = truth.sample(philox(1, 0), 8, 0.1);
    const options = { sigmaMin: 0.1, sigmaMax: 5, steps: 16 };
    const exact = await logLikelihood(pulledBack(tree.denoiser), x, options);
    const evaluate = async (at: typeof x, sigma: number) =>
      (await tree.denoiser.denoise(at, sigma, [{ condition: null }]))[0];
    const near = await logLikelihood(differences(evaluate, { step: 0.01 }), x, options);
    expect(near.nats).toBeAllClose(exact.nats, { abs: 5e-3 });
  });
});

describe("the network of clothes", () => {
  const options = { count: 2, steps: 3 };

  test("takes images of the sample with their classes, the same by seed and whatever the piece", async () => {
    const { nats, labels, data, bitsPerDimension } = await dataLikelihood(clothes, options);
    expect(data).toBe("sample");
    expect(labels).toEqual([9, 2]);
    expect((await dataLikelihood(clothes, options)).nats).toEqual(nats);
    expect(bitsPerDimension[0]).toBeAllClose(-nats[0] / 1024 / Math.LN2 + Math.log2(255 / 2), { rel: 1e-12 });
  });

  test("has another likelihood under another class, and under none", async () => {
    const run = async (label?: string | null) =>
      (await dataLikelihood(clothes, { ...options, label })).nats[0];
    const [own, named, bag, none] = [await run(), await run("Ankle boot"), await run("Bag"), await run(null)];
    expect(named).toBe(own);
    expect(bag).not.toBeCloseTo(own, 0);
    expect(none).not.toBeCloseTo(own, 0);
  });
});

test("data of another shape, and data for a model of points, is refused", async () => {
  const path = join(root, "tiny.safetensors");
  await saveTinyModel(path);
  const tiny = await openModel(runtime, path);
  await expect(dataLikelihood(tiny, { count: 1, data: "sample" })).rejects.toThrow(
    "takes images of 1 x 8 x 8, those of sample are 1 x 32 x 32",
  );
  await tiny.dispose();
  await expect(dataLikelihood(tree, { count: 1, data: "sample" })).rejects.toThrow("leave out --data");
});
