import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FileError, UsageError } from "../base/errors.ts";
import { rows } from "../base/tensor.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { saveTinyModel } from "../testing/tinyModel.ts";
import { locateModel } from "./bundle.ts";
import { type Model, openModel } from "./model.ts";
import { labelsFor, sample, sampleAll } from "./sample.ts";

const runtime = nodeRuntime({ threads: 1 });
let folder: string;
let model: Model;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fairlead-models-"));
  await saveTinyModel(join(folder, "main.safetensors"), 0);
  await saveTinyModel(join(folder, "guide.safetensors"), 1);
  const bundle = {
    format: "fairlead.bundle.1",
    name: "tiny",
    network: "main.safetensors",
    guides: { early: "guide.safetensors" },
    sampling: { sampler: "euler-ancestral", steps: 4 },
  };
  await writeFile(join(folder, "model.json"), JSON.stringify(bundle));
  model = await openModel(runtime, folder);
});

afterAll(async () => {
  await model.dispose();
  await rm(folder, { recursive: true });
});

test("guidance that moves the mean of steps runs on samplers that can, and names them for others", async () => {
  const tree = await openModel(runtime, "tree");
  const guidance = "classifier:1,form=mean-shift";
  const run = (sampler: string) => sampleAll(tree, { seeds: [0], guidance, sampler, steps: 4 });
  await expect(run("heun")).rejects.toThrow(/the sampler heun cannot: use ddpm, .*euler-ancestral/);
  expect((await run("ddpm")).evaluations).toEqual({ networks: 4, gradients: 3 });
  await tree.dispose();
});

describe("sampling a model", () => {
  test("a sample depends on its seed, not on the others, also where the sampler adds noise", async () => {
    const together = await sampleAll(model, { seeds: [5, 6, 7], guidance: "cfg:2", label: 1 });
    const alone = await sampleAll(model, { seeds: [6], guidance: "cfg:2", label: 1 });
    expect(alone.x).toBeAllClose(rows(together.x, 1, 2), { abs: 1e-5 });
    expect(together.x).not.toBeAllClose((await sampleAll(model, { seeds: [5, 6, 8], label: 1 })).x, {
      abs: 1e-3,
    });
  });

  test("evaluations count networks a sample: weight 1 costs nothing, methods add up", async () => {
    const evaluations = async (guidance: string): Promise<number> =>
      (await sampleAll(model, { seeds: [0], guidance, label: 0 })).evaluations.networks;
    expect(await evaluations("none")).toBe(4);
    expect(await evaluations("cfg:1")).toBe(4);
    expect(await evaluations("cfg:2")).toBe(8);
    expect(await evaluations("cfg:2+pag:1+autoguidance:2")).toBe(16);
  });

  test("yields every step, and ends when the signal says so", async () => {
    const abort = new AbortController();
    const indices: number[] = [];
    const run = async (): Promise<void> => {
      for await (const { index } of sample(model, { seeds: [0], signal: abort.signal })) {
        indices.push(index);
        if (index === 1) abort.abort(new Error("enough"));
      }
    };
    await expect(run()).rejects.toThrow("enough");
    expect(indices).toEqual([0, 1]);
  });

  test("labels are given by index or number, in turn by seed when not, and refused with the classes listed", () => {
    expect(labelsFor(model, { seeds: [0, 4, 5] })).toEqual([0, 1, 2]);
    expect(labelsFor(model, { seeds: [0, 4], label: "2" })).toEqual([2, 2]);
    expect(labelsFor(model, { seeds: [0], label: null })).toBeNull();
    expect(() => labelsFor(model, { seeds: [0], label: "boot" })).toThrow(
      'tiny has no class "boot"; its classes are 0 0, 1 1, 2 2',
    );
  });

  test("refuses seeds, samplers and noise levels that cannot be", async () => {
    await expect(sampleAll(model, { seeds: [-1] })).rejects.toThrow(
      "a seed is a whole number of 0 or more, got -1",
    );
    await expect(sampleAll(model, { seeds: [] })).rejects.toThrow(UsageError);
    await expect(sampleAll(model, { seeds: [0], sampler: "huen" })).rejects.toThrow("huen");
    await expect(sampleAll(model, { seeds: [0], sigmaMax: -1 })).rejects.toThrow(UsageError);
    await expect(sampleAll(model, { seeds: [0], guidance: "autoguidance:2,guide=late" })).rejects.toThrow(
      "early",
    );
  });
});

describe("finding a model", () => {
  test("a model file alone has no guides; an unknown name lists what there is", async () => {
    const { bundle } = await locateModel(join(folder, "main.safetensors"));
    expect(bundle).toMatchObject({ name: "main", network: "main.safetensors", guides: {} });
    await expect(locateModel("no-such-model")).rejects.toThrow('there is no model "no-such-model"');
    const graph = join(folder, "network.onnx");
    await writeFile(graph, "");
    await expect(locateModel(graph)).rejects.toThrow(/is a graph, not a model of ours.*fairlead inspect/);
  });

  test("a training's folder is its final model with its snapshots as guides, latest first", async () => {
    const run = join(folder, "run");
    await mkdir(join(run, "snapshots"), { recursive: true });
    await writeFile(join(run, "config.json"), "{}");
    await saveTinyModel(join(run, "snapshots", "8000-ema.safetensors"));
    await saveTinyModel(join(run, "snapshots", "16000-ema.safetensors"));
    const early = await locateModel(run);
    expect(early.bundle.network).toBe(join("snapshots", "16000-ema.safetensors"));
    await saveTinyModel(join(run, "model.safetensors"));
    const { bundle } = await locateModel(run);
    expect(bundle.network).toBe("model.safetensors");
    expect(Object.keys(bundle.guides)).toContain("8000-ema");
  });

  test("a manifest that is no JSON, has unknown keys or points out of its folder is refused", async () => {
    const bad = join(folder, "bad");
    await mkdir(bad);
    const write = (text: string) => writeFile(join(bad, "model.json"), text);
    await write("{");
    await expect(locateModel(bad)).rejects.toThrow("is not JSON");
    await write(JSON.stringify({ format: "fairlead.bundle.1", name: "x", network: "a", weights: "b" }));
    await expect(locateModel(bad)).rejects.toThrow('unknown key "weights"');
    await write(JSON.stringify({ format: "fairlead.bundle.1", name: "x", network: "../../etc/passwd" }));
    await expect(locateModel(bad)).rejects.toThrow(FileError);
  });
});
