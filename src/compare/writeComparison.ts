import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { concatRows, rows } from "../base/tensor.ts";
import { grid, writePng } from "../report/index.ts";
import { writeAtomically } from "../files/atomicFile.ts";
import type { Comparison, MethodResult, ModelComparison } from "./comparison.ts";
import { comparisonPage } from "./page.ts";

/**
 * Writes a comparison into a folder: index.html (self-contained), results.json, and for an image model a PNG of all
 * methods and one of each, which carry their recipes. Returns the paths. Throws FileError when the folder cannot be written.
 */
export async function writeComparison(comparison: Comparison, out: string): Promise<string[]> {
  await mkdir(out, { recursive: true });
  const written: string[] = [];
  const write = async (name: string, content: string): Promise<void> => {
    await writeAtomically(join(out, name), content);
    written.push(join(out, name));
  };
  for (const model of comparison.models) {
    if (model.kind === "plane") continue;
    const overview = join(out, `${fileName(model.model)}.png`);
    if (await writeOverview(comparison, model, overview)) written.push(overview);
    for (const method of model.methods) {
      if (!method.x) continue;
      const path = join(out, `${fileName(`${model.model}-${method.guidance}`)}.png`);
      await writePng(path, grid(method.x, { columns: 8, scale: 2 }), recipeOf(comparison, model, method));
      written.push(path);
    }
  }
  await write("results.json", `${JSON.stringify(comparisonJson(comparison), null, 2)}\n`);
  await write("index.html", comparisonPage(comparison));
  return written;
}

/** Seeds across in the overview. */
const ACROSS = 16;

/** One picture of an image model: a row a method, a column a seed. Returns whether there was anything to show. */
async function writeOverview(
  { command, versions }: Comparison,
  model: ModelComparison,
  path: string,
): Promise<boolean> {
  const shown = model.methods.filter(({ x }) => x !== undefined);
  if (shown.length === 0) return false;
  const columns = Math.min(ACROSS, model.seeds.length);
  const images = concatRows(shown.map(({ x }) => rows(x!, 0, columns)));
  const { sampler, schedule, steps, seeds, sigmas } = model;
  const guidance = shown.map((method) => method.guidance).join(" | ");
  const recipe = {
    command,
    versions,
    model: model.model,
    guidance,
    seeds: seeds.slice(0, columns),
    sampler,
    schedule,
    steps,
    sigmas,
  };
  await writePng(path, grid(images, { columns, scale: 2 }), recipe);
  return true;
}

/** A comparison without its pictures, as programs read it. */
export function comparisonJson({ command, versions, models }: Comparison): unknown {
  return {
    command,
    versions,
    models: models.map(({ logDensity: _, scores: _scores, methods, ...model }) => ({
      ...model,
      methods: methods.map(
        ({ x: _x, labels: _labels, trajectories: _ways, outliers: _outliers, ...method }) => method,
      ),
    })),
  };
}

function recipeOf(
  { command, versions }: Comparison,
  model: ModelComparison,
  { guidance, labels, matched }: MethodResult,
) {
  const { sampler, schedule, seeds } = model;
  const { steps, sigmas } = matched ?? model;
  return {
    command,
    versions,
    model: model.model,
    guidance,
    seeds,
    sampler,
    schedule,
    steps,
    sigmas,
    labels: labels ?? null,
  };
}

/** A text as a file name: letters, digits, dots and dashes. */
function fileName(text: string): string {
  return text.replace(/[^A-Za-z0-9.]+/g, "-");
}
