import { join } from "node:path";
import { stat } from "node:fs/promises";
import { type Bundle, locateModel, shippedModels } from "../../models/bundle.ts";
import { bytes, count } from "../../report/format.ts";
import { loadModelFile } from "../../training/checkpoint.ts";
import type { JsonObject } from "../../training/json.ts";
import { type Io, print, printJson } from "../io.ts";
import { common, readOptions } from "../options.ts";

/** A network of a model: its part in guidance, its file, and how it was made. */
interface Part {
  readonly part: string;
  readonly file: string;
  readonly bytes: number;
  readonly parameters: number;
  readonly card: JsonObject;
}

/** `fairlead models [MODEL]`: the models that come with the package, or any one, with the cards of their networks. */
export async function runModels(io: Io, model: string | undefined, given: unknown): Promise<number> {
  const { json } = readOptions({ json: common.json }, given);
  const names = model === undefined ? await shippedModels() : [model];
  const found = await Promise.all(names.map(describe));
  if (json) {
    printJson(io, found);
    return 0;
  }
  if (found.length === 0)
    print(io, "no models come with this copy of fairlead: train one, as in fairlead train tree");
  for (const lines of found.map(linesOf)) for (const line of lines) print(io, line);
  return 0;
}

type Described = Pick<Bundle, "name" | "description" | "sampling" | "compare"> & {
  readonly networks: readonly Part[];
};

async function describe(model: string): Promise<Described> {
  const { folder, bundle } = await locateModel(model);
  const files = {
    network: bundle.network,
    unconditional: bundle.unconditional,
    ...Object.fromEntries(Object.entries(bundle.guides).map(([name, file]) => [`guide ${name}`, file])),
    classifier: bundle.classifier,
    extractor: bundle.extractor,
  };
  const networks: Part[] = [];
  for (const [part, file] of Object.entries(files)) {
    if (file === null) continue;
    const path = join(folder, file);
    const { card, entries } = await loadModelFile(path);
    const sizes = [...entries.values()].map(({ shape }) => shape.reduce((a, b) => a * b, 1));
    const parameters = sizes.reduce((a, b) => a + b, 0);
    networks.push({ part, file, bytes: (await stat(path)).size, parameters, card });
  }
  const { name, description, sampling, compare } = bundle;
  return { name, description, sampling, compare, networks };
}

function linesOf({ name, description, sampling, compare, networks }: Described): string[] {
  const { sampler, steps, sigmaMin, sigmaMax } = sampling;
  const width = Math.max(...networks.map(({ part }) => part.length));
  return [
    description === "" ? name : `${name}: ${description}`,
    ...networks.map((one) => `  ${one.part.padEnd(width)}  ${cardLine(one)}`),
    `  sampled by ${sampler}, ${steps} steps, sigma from ${sigmaMax} to ${sigmaMin}`,
    ...(compare.length > 0 ? [`  compares ${compare.join(", ")}`] : []),
    "",
  ];
}

function cardLine({ parameters, bytes: size, card }: Part): string {
  const { images, command } = card;
  const made = [
    ...(typeof images === "number" ? [`${count(images)} images`] : []),
    ...(typeof command === "string" ? [command] : []),
  ];
  return [`${count(parameters)} parameters (${bytes(size)})`, ...made].join(", ");
}
