import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { grid, writePng } from "../report/index.ts";
import { writeAtomically } from "../training/atomicFile.ts";
import type { Comparison, MethodResult, ModelComparison } from "./comparison.ts";
import { comparisonPage } from "./page.ts";

/**
 * Writes a comparison into a folder: index.html (self-contained), results.json, and one PNG grid per image model and
 * method that carries its recipe. Returns the paths. Throws FileError when the folder cannot be written.
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

/** A comparison without its pictures, as programs read it. */
export function comparisonJson({ command, versions, models }: Comparison): unknown {
  return {
    command,
    versions,
    models: models.map(({ logDensity: _, methods, ...model }) => ({
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
  { guidance, labels }: MethodResult,
) {
  const { sampler, steps, seeds, sigmas } = model;
  return {
    command,
    versions,
    model: model.model,
    guidance,
    seeds,
    sampler,
    steps,
    sigmas,
    labels: labels ?? null,
  };
}

/** A text as a file name: letters, digits, dots and dashes. */
function fileName(text: string): string {
  return text.replace(/[^A-Za-z0-9.]+/g, "-");
}
