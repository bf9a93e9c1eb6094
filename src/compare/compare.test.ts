import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { philox } from "../base/philox.ts";
import { distributionByName } from "../data/distributions/catalogue.ts";
import { type Model, openModel } from "../models/model.ts";
import { readRecipe } from "../report/index.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { saveTinyModel } from "../testing/tinyModel.ts";
import { type ModelComparison, cardTable, compareModel, methodTable, writeComparison } from "./index.ts";
import { measurePlane, planeTruth } from "./measurePlane.ts";

let folder: string;
let model: Model;
let compared: ModelComparison;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fairlead-compare-"));
  await saveTinyModel(join(folder, "tiny.safetensors"));
  model = await openModel(nodeRuntime({ threads: 1 }), join(folder, "tiny.safetensors"));
  const guidance = ["none", "cfg:2", "autoguidance:2"];
  compared = await compareModel(model, { guidance, seeds: [3, 4, 5], sampler: "euler", steps: 3 });
});

afterAll(async () => {
  await model.dispose();
  await rm(folder, { recursive: true });
});

test("each method runs from the same seeds; one the model cannot take is listed with the reason", () => {
  const [none, cfg, autoguidance] = compared.methods;
  expect(none).toMatchObject({ guidance: "none", n: 3, evaluations: { networks: 3, gradients: 0 } });
  expect(cfg).toMatchObject({
    guidance: "cfg:2",
    labels: [0, 1, 2],
    evaluations: { networks: 6, gradients: 0 },
  });
  expect(autoguidance.skipped).toContain("guide");
  expect(autoguidance.x).toBeUndefined();
});

test("what a method gives does not depend on which others run", async () => {
  const alone = await compareModel(model, {
    guidance: ["cfg:2"],
    seeds: [3, 4, 5],
    sampler: "euler",
    steps: 3,
  });
  expect(alone.methods[0].x!.data).toEqual(compared.methods[1].x!.data);
});

test("the folder holds a self-contained page, the results, and pictures that carry their recipe", async () => {
  const out = join(folder, "out");
  const command = "fairlead compare tiny";
  const files = await writeComparison({ command, versions: { fairlead: "0" }, models: [compared] }, out);
  expect((await readdir(out)).sort()).toEqual(files.map((file) => file.slice(out.length + 1)).sort());
  const page = await readFile(join(out, "index.html"), "utf8");
  expect(page).not.toMatch(/(?:src|href)="(?!data:|#)/);
  const recipe = readRecipe(await readFile(join(out, "tiny-cfg-2.png")));
  expect(recipe).toMatchObject({ command, guidance: "cfg:2", seeds: [3, 4, 5], sampler: "euler", steps: 3 });
  const results = JSON.parse(await readFile(join(out, "results.json"), "utf8")) as {
    models: ModelComparison[];
  };
  expect(results.models[0].methods.map(({ guidance }) => guidance)).toEqual([
    "none",
    "cfg:2",
    "autoguidance:2",
  ]);
});

test("the table says N and why a method is missing, and never shows a distance over a few images", () => {
  const { columns, notes } = methodTable(compared);
  expect(columns.map(({ title }) => title)).not.toContain("Fréchet distance");
  expect(notes!.join(" ")).toMatch(/N = 3 samples.*autoguidance:2: /);
  expect(cardTable(compared)).toBeNull();
  const row = {
    guidance: "cfg:2",
    label: null,
    samples: 5000,
    metrics: { frechetDistance: 3 },
    command: "c",
  };
  expect(cardTable({ ...compared, card: [row] })!.rows).toEqual([["cfg:2", "none", 5000, 3]]);
});

test("exact samples of a known density measure as exact", () => {
  const [mixture] = distributionByName("tree").mixtures!;
  const truth = planeTruth(mixture, 2048);
  const { metrics, outliers } = measurePlane(mixture.sample(philox(1, 0), 2048), truth);
  expect(metrics.outlierRate).toBeAllClose(0.01, { abs: 0.01 });
  expect(metrics.outlierRate).toBe(outliers.filter(Boolean).length / 2048);
  expect(metrics.energyDistance).toBeAllClose(0, { abs: 0.003 });
});
