/**
 * Does guidance on the tree do what the autoguidance paper's toy does, over several seeds of training?
 *
 *   npx tsx bench/treeGuidance.ts 0 1 2
 *
 * Needs, for each seed S, the trainings `fairlead train PRESET --set training.seed=S --out runs/PRESET-S` of the presets
 * tree, tree-weak and tree-unconditional. Prints one row a method: the mean over seeds and their range.
 */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compareModel } from "../src/compare/index.ts";
import { openModel } from "../src/models/model.ts";
import { markdownTable } from "../src/report/table.ts";
import { lanesRuntime } from "../src/runtime/lanes.ts";

const guidance = [
  "none",
  ...[1.5, 2, 3, 4].map((weight) => `autoguidance:${weight}`),
  ...[1.5, 2, 3, 4].map((weight) => `cfg:${weight}`),
  "cfg:4,interval=0.02..0.2",
];
const names = ["meanLogDensity", "outlierRate", "energyDistance", "recall", "precision"];

const seeds = process.argv.slice(2).map(Number);
const runtime = lanesRuntime();
const perSeed: Readonly<Record<string, number>>[][] = [];
for (const seed of seeds) {
  const model = await openModel(runtime, await bundleOf(seed));
  const { methods } = await compareModel(model, { guidance });
  perSeed.push(methods.map(({ metrics }) => metrics!));
  await model.dispose();
}
await runtime.dispose();

const cell = (values: readonly number[]): string => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return `${mean.toFixed(4)} (${Math.min(...values).toFixed(4)} to ${Math.max(...values).toFixed(4)})`;
};
const rows = guidance.map((spec, i) => [
  spec,
  ...names.map((name) => cell(perSeed.map((methods) => methods[i][name]))),
]);
console.log(markdownTable({ columns: [{ title: "guidance" }, ...names.map((title) => ({ title }))], rows }));

/** The networks of one seed as one model. */
async function bundleOf(seed: number): Promise<string> {
  const folder = join("runs", `tree-seed-${seed}`);
  await mkdir(folder, { recursive: true });
  const files = { tree: "main", "tree-weak": "weak", "tree-unconditional": "unconditional" };
  for (const [preset, name] of Object.entries(files)) {
    await copyFile(
      join("runs", `${preset}-${seed}`, "model.safetensors"),
      join(folder, `${name}.safetensors`),
    );
  }
  const bundle = {
    format: "fairlead.bundle.1",
    name: `tree, seed ${seed}`,
    network: "main.safetensors",
    unconditional: "unconditional.safetensors",
    guides: { weak: "weak.safetensors" },
    sampling: { sampler: "heun", steps: 32, sigmaMax: 5, start: "data" },
  };
  await writeFile(join(folder, "model.json"), JSON.stringify(bundle, null, 2));
  return folder;
}
