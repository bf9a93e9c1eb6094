import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Tensor, concatRows } from "../../src/base/tensor.ts";
import { writeAtomically } from "../../src/files/atomicFile.ts";
import type { Method } from "../../src/guidance/method.ts";
import { PLANE_VIEW } from "../../src/compare/compareModel.ts";
import { measurePlane, planeTruth } from "../../src/compare/measurePlane.ts";
import { versions } from "../../src/cli/version.ts";
import type { Model } from "../../src/models/model.ts";
import { sampleAll } from "../../src/models/sample.ts";
import { grid, readRecipe, writePng } from "../../src/report/index.ts";
import { mixtureOfData } from "../../src/training/objectives/exactScore.ts";
import { root } from "./markdown.ts";
import { planePicture } from "./planePicture.ts";
import { type Shown, shownOf } from "./shown.ts";

export const picturePath = (name: string): string => join(root, "docs/pictures/guidance", `${name}.png`);

/** Whether the picture there is the one that the catalogue asks for: its recipe says what it was made of. */
export async function isCurrent(method: Method): Promise<boolean> {
  const bytes = await readFile(picturePath(method.name)).catch(() => null);
  const recipe = bytes && readRecipe(bytes);
  if (!recipe) return false;
  const { guidance, model, seeds, sampler, steps } = recipe;
  return (
    JSON.stringify({ guidance, model, seeds, sampler, steps }) ===
    JSON.stringify(recipeOf(await shownOf(method)))
  );
}

const recipeOf = ({ specs, model, seeds, sampler, steps }: Shown) => ({
  ...{ guidance: specs.join(" | "), model, seeds, sampler, steps },
});

/** Samples the model under each guidance that the method is shown by, and writes the picture. */
export async function drawMethod(method: Method, model: Model): Promise<void> {
  const shown = await shownOf(method);
  const samples: Tensor[] = [];
  for (const guidance of shown.specs) {
    const { seeds, sampler, steps } = shown;
    samples.push((await sampleAll(model, { seeds, guidance, sampler, steps })).x);
  }
  const recipe = { command: `npm run docs -- ${method.name}`, versions: versions(), ...recipeOf(shown) };
  const path = picturePath(method.name);
  if (shown.model === "fashion-mnist") {
    await writePng(path, grid(concatRows(samples), { columns: shown.seeds.length, scale: 2 }), recipe);
    return;
  }
  const mixture = mixtureOfData(model.config.data);
  const truth = planeTruth(mixture, shown.seeds.length);
  const panels = samples.map((x) => ({ x, outliers: measurePlane(x, truth).outliers }));
  const density = (points: Tensor) => mixture.logDensity(points, 0);
  await writeAtomically(path, [planePicture(density, PLANE_VIEW, panels, recipe)]);
}
