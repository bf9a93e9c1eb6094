import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FileError } from "../base/errors.ts";
import { seededNoise } from "../base/philox.ts";
import type { Tensor } from "../base/tensor.ts";
import { filesUsed } from "../cli/sampleRecipe.ts";
import { saveOnnxFile } from "../files/onnxFile.ts";
import { trace } from "../graph/builder.ts";
import { reduceMean, reduceSum } from "../graph/ops/reduce.ts";
import { square } from "../graph/ops/elementwise.ts";
import { networkLayout } from "../networks/network.ts";
import { networkEmbedding } from "../networks/networkScore.ts";
import { encodePng } from "../report/png.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { tinyConfig } from "../testing/tinyModel.ts";
import { saveModelFile } from "../training/checkpoint.ts";
import type { JsonObject } from "../training/json.ts";
import { encodeSafetensors, floatEntry } from "../training/safetensors.ts";
import { type Model, openModel } from "./model.ts";
import { openScore, openScores, scoreFiles } from "./openScore.ts";
import { sampleAll } from "./sample.ts";

const runtime = nodeRuntime({ threads: 1 });
const shape = [1, 8, 8];
const x = seededNoise([1, 2], 0, [2, ...shape]);
let folder: string;
let model: Model;
const path = (name: string): string => join(folder, name);

// The mean brightness, and an embedding: the means of the columns.
const brightness = trace({ x: { shape: [1, 1, 8, 8] } }, ({ x }) => ({ score: reduceMean(x, [1, 2, 3]) }));
const columns = trace({ x: { shape: [1, 1, 8, 8] } }, ({ x }) => ({ embedding: reduceMean(x, [1, 2]) }));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fairlead-scores-"));
  await saveOnnxFile(brightness, path("bright ness.onnx"));
  await saveOnnxFile(columns, path("columns.onnx"));
  // A network that says 0 makes D = cSkip x, the exact denoiser of N(0, 0.5^2).
  const config = tinyConfig();
  const layout = networkLayout(config.network);
  await saveModelFile(path("model.safetensors"), {
    layout,
    parameters: new Float32Array(layout.size),
    config: JSON.parse(JSON.stringify(config)) as JsonObject,
    card: {},
  });
  model = await openModel(runtime, path("model.safetensors"));
});

afterAll(async () => {
  await model.dispose();
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

describe("a target", () => {
  const target = Float32Array.of(1, 0, -1, 2, 0.5, 0, 0, -0.25);
  const valuesOf = async (name: string): Promise<Tensor> =>
    (await openScore(runtime, { model: path("columns.onnx"), target: path(name) }, shape)).values(x);

  test("is the same as JSON, nested or not, and as safetensors of one array", async () => {
    await writeFile(path("a.json"), JSON.stringify([...target]));
    await writeFile(path("b.json"), JSON.stringify([[...target]]));
    const entries = new Map([["embedding", floatEntry(target, [1, 8])]]);
    await writeFile(path("c.safetensors"), Buffer.concat(encodeSafetensors({ entries, metadata: {} })));
    const want = await valuesOf("a.json");
    expect((await valuesOf("b.json")).data).toEqual(want.data);
    expect((await valuesOf("c.safetensors")).data).toEqual(want.data);

    // <e, t> / (|e| |t|), e the means of the columns.
    const cosines = [0, 1].map((row) => {
      const e = Array.from({ length: 8 }, (_, j) => {
        let sum = 0;
        for (let i = 0; i < 8; i++) sum += x.data[row * 64 + i * 8 + j] / 8;
        return sum;
      });
      return e.reduce((sum, v, j) => sum + v * target[j], 0) / (Math.hypot(...e) * Math.hypot(...target));
    });
    expect(want).toBeAllClose(cosines, { abs: 1e-6 });
  });

  test("as a picture is the embedding that the model gives it, in the samples' size and colours", async () => {
    const grey = Uint8Array.from({ length: 64 }, (_, i) => (i * 29) % 256);
    await writeFile(path("grey.png"), encodePng({ width: 8, height: 8, channels: 1, data: grey }));
    const image = { data: Float32Array.from(grey, (byte) => byte / 127.5 - 1), shape: [1, ...shape] };
    const { data } = await networkEmbedding(runtime, columns, image, { shape });
    await writeFile(path("d.json"), JSON.stringify([...data]));
    expect(await valuesOf("grey.png")).toBeAllClose(await valuesOf("d.json"), { abs: 1e-6 });

    // 16 x 24 in colour: the middle square, made smaller and grey.
    const rgb = Uint8Array.from({ length: 16 * 24 * 3 }, (_, i) => {
      const [h, w] = [Math.floor(i / 3 / 24), Math.floor(i / 3) % 24];
      return w < 4 || w >= 20 ? 255 : grey[Math.floor(h / 2) * 8 + Math.floor((w - 4) / 2)];
    });
    await writeFile(path("rgb.png"), encodePng({ width: 24, height: 16, channels: 3, data: rgb }));
    expect(await valuesOf("rgb.png")).toBeAllClose(await valuesOf("grey.png"), { abs: 1e-6 });
  });

  test("that is none is refused by its name", async () => {
    await writeFile(path("word.json"), '{"a": 1}');
    await writeFile(path("not.json"), "[1,");
    await writeFile(path("note.txt"), "a cat");
    const two = new Map(["a", "b"].map((name) => [name, floatEntry(target, [8])]));
    await writeFile(
      path("two.safetensors"),
      Buffer.concat(encodeSafetensors({ entries: two, metadata: {} })),
    );
    await expect(valuesOf("word.json")).rejects.toThrow(
      /word\.json is no embedding: wanted a list of numbers/,
    );
    await expect(valuesOf("not.json")).rejects.toThrow(/not\.json is not JSON/);
    await expect(valuesOf("two.safetensors")).rejects.toThrow(/wanted one array, and it holds a, b/);
    await expect(valuesOf("note.txt")).rejects.toThrow(/note\.txt is neither a PNG nor a JPEG/);
    await expect(valuesOf("absent.json")).rejects.toThrow(FileError);
    const points = openScore(runtime, { model: path("columns.onnx"), target: path("grey.png") }, [2]);
    await expect(points).rejects.toThrow(/cannot score|no target for samples of shape \[2\]/);
  });
});

describe("a model guided by the score of a file", () => {
  const spec = (scale: number): string => `score:${scale},model="${path("bright ness.onnx")}"`;
  const run = (guidance: string) => sampleAll(model, { seeds: [0, 1, 2], guidance, label: 1, steps: 24 });

  test("samples the density tilted by exp(scale*score): N(0, C) becomes N(C slope, C), C = 0.25, slope scale/64", async () => {
    const none = await run("none");
    for (const scale of [20, -300]) {
      const { x, evaluations } = await run(spec(scale));
      const want = none.x.data.map((value) => value + (0.25 * scale) / 64);
      expect(x).toBeAllClose(want, { abs: 0.02 * Math.abs((0.25 * scale) / 64) }); // the start, and Heun's error
      const { networks } = none.evaluations;
      expect(evaluations).toEqual({ networks, gradients: 2 * networks });
    }
  });

  test("of scale 0 is no guidance, bit for bit and free", async () => {
    const [none, off] = [await run("none"), await run(spec(0))];
    expect(off.x.data).toEqual(none.x.data);
    expect(off.evaluations).toEqual(none.evaluations);
  });

  test("without the denoiser's Jacobian costs one gradient an evaluation, and scores higher too", async () => {
    const [none, up] = [await run("none"), await run(`${spec(20)},through=gaussian`)];
    expect(up.evaluations.gradients).toBe(none.evaluations.networks);
    for (const [i, value] of up.x.data.entries()) expect(value).toBeGreaterThan(none.x.data[i] + 0.05);
  });

  test("says what is missing in a sentence", async () => {
    await expect(run("score:3")).rejects.toThrow("score guidance needs a model: write score:10,model=FILE");
    await expect(run("score:3,model=nowhere.onnx")).rejects.toThrow(/nowhere\.onnx/);
  });

  test("notes the files that it was made with", async () => {
    await writeFile(path("t.json"), "[1,2,3,4,5,6,7,8]");
    const guidance = `score:1,model=${path("columns.onnx")},target=${path("t.json")}+cfg:2+${spec(2)}`;
    // What is missing is said where the guidance is built.
    expect(scoreFiles("score:1")).toStrictEqual({});
    expect(scoreFiles(guidance)).toEqual({
      score: path("columns.onnx"),
      target: path("t.json"),
      "score 2": path("bright ness.onnx"),
    });
    const files = await filesUsed(path("model.safetensors"), guidance);
    expect(Object.keys(files)).toEqual(["network", "score", "target", "score 2"]);
    for (const hash of Object.values(files)) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  });
});

test("scores are opened once, and given by what their specs call them", async () => {
  const scores = openScores(runtime, shape);
  const model = path("columns.onnx");
  await writeFile(path("u.json"), "[1,0,0,0,0,0,0,0]");
  const one = await scores.of(`score:1,model=${model},target=${path("u.json")}`);
  const again = await scores.of(`score:5,model=${model},target=${path("u.json")}+cfg:2`);
  const [name] = Object.keys(one);
  expect(name).toBe(`${model},target=${path("u.json")}`);
  expect(again[name]).toBe(one[name]);
  expect(await scores.of("cfg:2")).toEqual({});
  await scores.dispose();
});

test("a score of several numbers says how to make one of them", async () => {
  const squares = trace({ x: { shape: [1, 1, 8, 8] } }, ({ x }) => ({ y: reduceSum(square(x), [1, 2]) }));
  await saveOnnxFile(squares, path("squares.onnx"));
  await expect(openScore(runtime, { model: path("squares.onnx") }, shape)).rejects.toThrow(
    /squares\.onnx gives 8 numbers a sample, and a score is one: give target=FILE/,
  );
});
