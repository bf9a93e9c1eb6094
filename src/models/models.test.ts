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

  test("what the network is told, and noise on what it is told, go with a sample's seed", async () => {
    const specs = [
      "icg:2",
      "icg:2,kind=gaussian",
      "tsg:2",
      "tsg:2,form=level",
      "negative:2,condition=1",
      "cads:1,tau1=0.2",
      "icg:2+tsg:2~apg+negative:1.5,condition=2+cads:0.5+pag:1",
    ];
    const plain = (await sampleAll(model, { seeds: [5, 6, 7], label: 0 })).x;
    for (const guidance of specs) {
      const together = await sampleAll(model, { seeds: [5, 6, 7], guidance, label: 0 });
      const alone = await sampleAll(model, { seeds: [6], guidance, label: 0 });
      expect(alone.x, guidance).toBeAllClose(rows(together.x, 1, 2), { abs: 1e-4 });
      expect(together.x, guidance).not.toBeAllClose(plain, { abs: 1e-3 });
      const again = await sampleAll(model, { seeds: [5, 6, 7], guidance, label: 0 });
      expect(again.x.data, guidance).toEqual(together.x.data);
    }
  });

  test("conditions are named as classes are, and the network offers its embeddings", async () => {
    const { networks } = (await sampleAll(model, { seeds: [0], guidance: "icg:2+tsg:2+cads:0.3", label: 0 }))
      .evaluations;
    expect(networks).toBe(12);
    const unknown = sampleAll(model, { seeds: [0], guidance: "negative:2,condition=shoe", label: 0 });
    await expect(unknown).rejects.toThrow('no class "shoe"; its classes are 0 0, 1 1, 2 2');
  });

  test("offers smaller sizes and what its tokens receive: windows and self-attention guidance work from the text alone", async () => {
    const { resized } = model.resources;
    expect({ side: resized!.side, multiple: resized!.multiple }).toEqual({ side: 8, multiple: 1 });
    expect(resized!.to(5).shape).toEqual([1, 5, 5]);
    for (const guidance of ["swg:1", "swg:1,where=overlaps", "sag:1", "cfg:2+sag:1"]) {
      const cost = guidance.startsWith("cfg") ? 3 : 2;
      const { x, evaluations } = await sampleAll(model, { seeds: [0, 1], guidance, label: 0 });
      expect(evaluations).toEqual({ networks: 4 * cost, gradients: 0 });
      expect(x).not.toBeAllClose((await sampleAll(model, { seeds: [0, 1], label: 0 })).x, { abs: 1e-3 });
    }
    const tree = await openModel(runtime, "tree");
    await expect(sampleAll(tree, { seeds: [0], guidance: "swg:1" })).rejects.toThrow(
      /this one's size is fixed/,
    );
    await expect(sampleAll(tree, { seeds: [0], guidance: "sag:1" })).rejects.toThrow(/needs self-attention/);
    await tree.dispose();
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

  describe("a training's folder", () => {
    const at = (...names: string[]): string => join(folder, "run", ...names);
    const guidesOf = async (): Promise<string[]> => Object.keys((await locateModel(at())).bundle.guides);

    beforeAll(async () => {
      await mkdir(at("snapshots"), { recursive: true });
      const training = { images: 15990, batchSize: 32, ema: [{ name: "long" }, { name: "short" }] };
      await writeFile(at("config.json"), JSON.stringify({ model: {}, training }));
    });

    test("without a snapshot has no model yet", async () => {
      await expect(locateModel(at())).rejects.toThrow(
        "has no model yet: let it run to its end or to a snapshot",
      );
    });

    test("is its latest snapshot of the first average while it runs, and the others are guides", async () => {
      for (const [i, name] of ["8000-short", "8000-long", "512-long", "992-long", "992-short"].entries())
        await saveTinyModel(at("snapshots", `${name}.safetensors`), i);
      const { bundle } = await locateModel(at());
      expect(bundle.network).toBe(join("snapshots", "8000-long.safetensors"));
      expect(Object.keys(bundle.guides)).toEqual(["512-long", "992-long", "992-short", "8000-short"]);
    });

    test("is its final model, with all but itself as guides, nearest to a sixteenth of the training first", async () => {
      await saveTinyModel(at("snapshots", "16000-long.safetensors"), 7);
      await saveTinyModel(at("snapshots", "16000-short.safetensors"), 8);
      await saveTinyModel(at("model.safetensors"), 7);
      await writeFile(at("snapshots", "notes.txt"), "");
      const { bundle } = await locateModel(at());
      expect(bundle.network).toBe("model.safetensors");
      const early = ["992-long", "992-short", "512-long", "8000-long", "8000-short"];
      expect(Object.keys(bundle.guides)).toEqual([...early, "16000-short"]);
    });

    test("guides with any of them by name, the first without one, and lists them in its refusal", async () => {
      const run = await openModel(runtime, at());
      const guided = async (guidance: string) => (await sampleAll(run, { seeds: [3], guidance })).x;
      const byName = await guided("autoguidance:2,guide=992-long");
      expect(await guided("autoguidance:2")).toEqual(byName);
      expect(await guided("autoguidance:2,guide=16000-short")).not.toBeAllClose(byName, { abs: 1e-4 });
      const both = await guided("cfg:1.5+autoguidance:1.5,guide=8000-short");
      expect(both).not.toBeAllClose(await guided("cfg:1.5"), { abs: 1e-4 });
      await expect(guided("autoguidance:2,guide=16000-long")).rejects.toThrow(
        'no guide "16000-long"; its guides: 992-long, 992-short, 512-long, 8000-long, 8000-short, 16000-short',
      );
      await run.dispose();
    });

    test("keeps a snapshot that may be itself where its configuration does not say so", async () => {
      await writeFile(at("config.json"), "{}");
      expect(await guidesOf()).toContain("16000-long");
    });
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
