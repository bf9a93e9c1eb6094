import { join } from "node:path";
import type { Tensor } from "../base/tensor.ts";
import { rows } from "../base/tensor.ts";
import { planeTruth } from "../compare/measurePlane.ts";
import { distributionByName } from "../data/distributions/catalogue.ts";
import type { Model } from "../models/model.ts";
import type { Samples } from "../models/sample.ts";
import { grid } from "../report/grid.ts";
import { pictureOf } from "../report/picture.ts";
import { densityUnderlay } from "../report/plots/density.ts";
import { viewOf } from "../report/plots/plane.ts";
import { scatter } from "../report/plots/scatter.ts";
import { type Recipe, encodePng } from "../report/png.ts";
import { writeAtomically } from "../files/atomicFile.ts";
import { mixtureOfData } from "../training/objectives/exactScore.ts";

/** Edge of the smallest image in a grid, in pixels; smaller ones are enlarged by a whole factor. */
const leastEdge = 64;

/** Writes one PNG a seed, and all of them as grid.png, each with its recipe. Returns the names of the files. */
export async function writeImages(
  folder: string,
  { x }: Samples,
  recipe: Recipe,
  recipeOf: (index: number) => Recipe,
): Promise<string[]> {
  const digits = String(Math.max(...recipe.seeds)).length;
  const names: string[] = [];
  for (const [index, seed] of recipe.seeds.entries()) {
    const name = `seed-${String(seed).padStart(digits, "0")}.png`;
    await writeAtomically(join(folder, name), [encodePng(pictureOf(x, index), recipeOf(index))]);
    names.push(name);
  }
  const scale = Math.max(1, Math.round(leastEdge / x.shape[3]));
  await writeAtomically(join(folder, "grid.png"), [encodePng(grid(x, { scale }), recipe)]);
  return [...names, "grid.png"];
}

/**
 * Writes samples.csv (seed, coordinates, class), scatter.svg (over the exact density where it is known, outliers marked)
 * and recipe.json. Returns the names of the files.
 */
export async function writePoints(
  folder: string,
  model: Model,
  samples: Samples,
  recipe: Recipe,
): Promise<string[]> {
  const title = `${model.name} · ${recipe.guidance}`;
  const files = {
    "samples.csv": csv(recipe.seeds, samples),
    "scatter.svg": picture(model, samples.x, title),
    "recipe.json": `${JSON.stringify(recipe, null, 2)}\n`,
  };
  for (const [name, text] of Object.entries(files)) await writeAtomically(join(folder, name), text);
  return Object.keys(files);
}

function csv(seeds: readonly number[], { x, labels }: Samples): string {
  const lines = seeds.map((seed, i) => {
    const values = [seed, ...rows(x, i, i + 1).data];
    return (labels ? [...values, labels[i]] : values).join(",");
  });
  return `seed,x1,x2${labels ? ",label" : ""}\n${lines.join("\n")}\n`;
}

function picture({ config }: Model, samples: Tensor, title: string): string {
  const { name } = config.data;
  if (!distributionByName(name).mixtures) return scatter({ samples, title });
  const mixture = mixtureOfData(config.data);
  const truth = planeTruth(mixture, 2048);
  const underlay = densityUnderlay(truth.logDensity, viewOf({}, [truth.exact]));
  const outliers = Array.from(truth.logDensity(samples), (value) => value < truth.outlierBelow);
  return scatter({ samples, title, underlay, outliers });
}
