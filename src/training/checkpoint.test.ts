import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FairleadError, FileError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";
import {
  type Model,
  loadModelFile,
  modelParameters,
  repackModelFile,
  saveModelFile,
  writeChecked,
} from "./checkpoint.ts";
import { layoutOf } from "./objective.ts";
import { floatEntry } from "./safetensors.ts";

const layout = layoutOf([
  { name: "in.weight", shape: [3, 4] },
  { name: "gain", shape: [] },
  { name: "out.weight", shape: [4, 3] },
]);
const parameters = new Float32Array(layout.size);
philox(1, 0).fillNormal(parameters);
const model: Model = {
  layout,
  parameters,
  config: { network: { kind: "mlp" } },
  card: { step: 7, ema: "short" },
};

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fairlead-checkpoint-"));
  path = join(folder, "model.safetensors");
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("a model file gives back parameters, config and card", async () => {
  await saveModelFile(path, model);
  const loaded = await loadModelFile(path);
  expect(loaded).toMatchObject({ path, config: model.config, card: model.card });
  expect(modelParameters(loaded, layout)).toEqual(parameters);
  expect(readdirSync(folder)).toEqual(["model.safetensors"]);
});

test("parameters are found by name, whatever their order", async () => {
  await saveModelFile(path, model);
  const turned = layoutOf([...layout.entries].reverse());
  const [first] = modelParameters(await loadModelFile(path), turned);
  expect(first).toBe(parameters[13]);
});

test("stored in 16 bits the file is half as large and every value is within 2^-11 of itself", async () => {
  const big = layoutOf([{ name: "w", shape: [20_000] }]);
  const values = new Float32Array(big.size);
  philox(2, 0).fillNormal(values);
  await saveModelFile(path, { ...model, layout: big, parameters: values });
  const full = readFileSync(path).length;
  await saveModelFile(path, { ...model, layout: big, parameters: values }, { storage: "F16" });
  expect(readFileSync(path).length / full).toBeAllClose(0.5, { abs: 0.01 });
  const back = modelParameters(await loadModelFile(path), big);
  expect(back).toBeAllClose(values, { rel: 2 ** -11, abs: 2 ** -25 });
});

test("a model written again in place has its new card entries beside the old ones and the same weights", async () => {
  await saveModelFile(path, model);
  await repackModelFile(await loadModelFile(path), path, { card: { accuracy: 0.91 }, storage: "F16" });
  const back = await loadModelFile(path);
  expect(back.card).toEqual({ step: 7, ema: "short", accuracy: 0.91 });
  expect(back.config).toEqual(model.config);
  expect(modelParameters(back, layout)).toBeAllClose(parameters, { rel: 2 ** -11 });
});

test("values that are not finite, or too large for 16 bits, are not saved", async () => {
  const bad = (value: number, storage: "F32" | "F16") =>
    saveModelFile(
      path,
      { ...model, parameters: parameters.map((p, i) => (i === 5 ? value : p)) },
      { storage },
    );
  await expect(bad(NaN, "F32")).rejects.toThrow(FairleadError);
  await expect(bad(-Infinity, "F32")).rejects.toThrow(/was not written: a parameter is not finite/);
  await expect(bad(65520, "F16")).rejects.toThrow(/beyond 65519 in F16/);
  expect(readdirSync(folder)).toEqual([]);
  await bad(65519, "F16");
});

test.each<[string, { name: string; shape: number[] }[], RegExp]>([
  [
    "another shape",
    [{ name: "in.weight", shape: [4, 3] }],
    /has "in\.weight" of shape \[3, 4\] where \[4, 3\] is wanted/,
  ],
  [
    "a parameter more",
    [...layout.entries, { name: "bias", shape: [2] }].map(({ name, shape }) => ({ name, shape: [...shape] })),
    /has no parameter "bias" of shape \[2\]/,
  ],
  [
    "a parameter less",
    [
      { name: "in.weight", shape: [3, 4] },
      { name: "gain", shape: [] },
    ],
    /has a parameter "out\.weight" that the network has not/,
  ],
])("a network with %s is another network", async (_, entries, message) => {
  await saveModelFile(path, model);
  const loaded = await loadModelFile(path);
  const fit = () => modelParameters(loaded, layoutOf(entries));
  expect(fit).toThrow(FileError);
  expect(fit).toThrow(message);
  expect(fit).toThrow(/^this checkpoint is of another network: /);
});

test("a file that is missing, cut at any place, changed in any byte of its data, or of another kind, is refused", async () => {
  await expect(loadModelFile(path)).rejects.toThrow(/cannot read .*: there is no such file/);
  await expect(loadModelFile(folder)).rejects.toThrow(/it is a folder/);

  await saveModelFile(path, model);
  const bytes = readFileSync(path);
  for (let length = 0; length < bytes.length; length += 13) {
    writeFileSync(path, bytes.subarray(0, length));
    await expect(loadModelFile(path), `cut at ${length}`).rejects.toThrow(FileError);
  }
  for (let at = bytes.length - 4 * layout.size; at < bytes.length; at += 3) {
    const flipped = Buffer.from(bytes);
    flipped[at] ^= 0x10;
    writeFileSync(path, flipped);
    await expect(loadModelFile(path)).rejects.toThrow(/is damaged: its data are not what was written/);
  }

  const entries = new Map([["w", floatEntry(Float32Array.of(1), [1])]]);
  await writeChecked(path, { entries, metadata: {} });
  await expect(loadModelFile(path)).rejects.toThrow(/not a model of Fairlead: it says nothing of its format/);
  await writeChecked(path, { entries, metadata: { format: "pt" } });
  await expect(loadModelFile(path)).rejects.toThrow(/it has the format "pt", wanted "fairlead\.model\.1"/);
  await writeChecked(path, {
    entries,
    metadata: { format: "fairlead.model.1", config: "{}", card: "{oops" },
  });
  await expect(loadModelFile(path)).rejects.toThrow(/the "card" in its metadata is not a JSON object/);
});
