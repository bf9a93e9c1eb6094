import { readFile, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { FileError, UsageError } from "../base/errors.ts";
import { parseWith, strict } from "../training/config.ts";

/** How a model is sampled when nothing else is asked for. */
const samplingSchema = strict({
  sampler: z.string().default("heun"),
  steps: z.int().min(1).default(16),
  sigmaMin: z.number().positive().default(0.002),
  sigmaMax: z.number().positive().default(80),
  rho: z.number().positive().default(7),
  /** How noise levels are spaced: a name in `schedules`, with options. */
  schedule: z.string().default("karras"),
  /** "noise": samples start from noise of standard deviation sigmaMax. "data": from the exact law of the data with that noise. */
  start: z.enum(["noise", "data"]).default("noise"),
});

const file = z.string().min(1);

/** model.json: the networks that belong together, by their part in guidance. File names are inside the folder. */
const bundleSchema = strict({
  format: z.literal("fairlead.bundle.1"),
  name: z.string().min(1),
  description: z.string().default(""),
  network: file,
  /** A separate unconditional network (CFG's weak prediction, and what classifier guidance pushes). */
  unconditional: file.nullable().default(null),
  /** Autoguidance's weak networks by name; the first is the default. */
  guides: z.record(z.string(), file).default({}),
  /** A noise-aware classifier, for classifier guidance. */
  classifier: file.nullable().default(null),
  /** A classifier of clean samples, whose penultimate layer is the feature extractor. */
  extractor: file.nullable().default(null),
  sampling: samplingSchema.prefault({}),
  /** What `fairlead compare` compares, when nothing is asked for. */
  compare: z.array(z.string()).default([]),
  /** Measured results (a JSON file), shown beside a comparison. */
  results: file.nullable().default(null),
});

export type Sampling = z.output<typeof samplingSchema>;

/** How a model is sampled that says nothing of it. */
export const defaultSampling: Sampling = samplingSchema.parse({});

export type Bundle = z.output<typeof bundleSchema>;

/** The folder of the checkpoints that come with the package; one level above src/ and dist/. */
const shipped = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "checkpoints");

export interface LocatedBundle {
  readonly folder: string;
  readonly bundle: Bundle;
}

/** Names of the models that come with the package. */
export async function shippedModels(): Promise<string[]> {
  const entries = await readdir(shipped, { withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of entries) {
    if (entry.isDirectory() && (await kindOf(join(shipped, entry.name, "model.json"))) === "file")
      found.push(entry.name);
  }
  return found.sort();
}

/**
 * Finds what MODEL means: a folder with model.json, the folder of a training, a model file, or the name of a shipped model.
 * Throws UsageError saying what was looked for.
 */
export async function locateModel(model: string): Promise<LocatedBundle> {
  const kind = await kindOf(model);
  if (kind === "file" && model.endsWith(".onnx")) {
    throw new UsageError(
      `${model} is a graph, not a model of ours: give the folder of a training or a .safetensors file, or look into it with fairlead inspect ${model}`,
    );
  }
  if (kind === "file")
    return alone(dirname(model), basename(model), basename(model).replace(/\.safetensors$/, ""));
  if (kind === "folder") return inFolder(resolve(model));
  const inside = join(shipped, model);
  if (/^[\w.-]+$/.test(model) && (await kindOf(join(inside, "model.json"))) === "file")
    return inFolder(inside);
  const known = (await shippedModels()).join(", ") || "none";
  throw new UsageError(
    `there is no model "${model}": give the folder of a training, a .safetensors file, or a shipped model (${known})`,
  );
}

async function inFolder(folder: string): Promise<LocatedBundle> {
  const manifest = join(folder, "model.json");
  if ((await kindOf(manifest)) === "file") {
    const bundle = parseBundle(await readFile(manifest, "utf8"), manifest);
    for (const name of filesOf(bundle)) checkInside(folder, name, manifest);
    return { folder, bundle };
  }
  if ((await kindOf(join(folder, "config.json"))) === "file") return ofRun(folder);
  throw new UsageError(`the folder ${folder} holds no model: wanted model.json, or a training's config.json`);
}

/**
 * A training's folder: its final model, or the latest snapshot of the first average before there is one, and as guides the other
 * snapshots, of other averages too. First comes the one nearest to a sixteenth of the training, as guides of EDM2 were.
 */
async function ofRun(folder: string): Promise<LocatedBundle> {
  const snapshots = await snapshotsOf(folder);
  const final = (await kindOf(join(folder, "model.safetensors"))) === "file";
  if (!final && snapshots.length === 0) {
    throw new UsageError(
      `the training in ${folder} has no model yet: let it run to its end or to a snapshot`,
    );
  }
  const { average, images: planned } = await trainingOf(folder);
  const latest = Math.max(...snapshots.map(({ images }) => images));
  const finalImages = final ? planned : latest;
  const [itself] = snapshots
    .filter(({ images }) => images === finalImages)
    .sort((a, b) => Number(b.average === average) - Number(a.average === average));
  const { bundle } = alone(folder, final ? "model.safetensors" : itself.file, basename(folder));
  const far = ({ images }: Snapshot): number => Math.abs(Math.log((16 * images) / latest));
  const guides = snapshots
    .filter((one) => one !== itself)
    .sort((a, b) => far(a) - far(b) || Number(b.average === average) - Number(a.average === average))
    .map(({ name, file }) => [name, file]);
  return { folder, bundle: { ...bundle, guides: Object.fromEntries(guides) as Bundle["guides"] } };
}

/** An average of the weights, kept on the way. */
interface Snapshot {
  /** "8000-ema": after so many images, of which average. */
  readonly name: string;
  readonly file: string;
  readonly images: number;
  readonly average: string;
}

async function snapshotsOf(folder: string): Promise<Snapshot[]> {
  const files = await readdir(join(folder, "snapshots")).catch(() => []);
  return files.sort().flatMap((file) => {
    const [, name, images, average] = /^((\d+)-(.+))\.safetensors$/.exec(file) ?? [];
    if (name === undefined) return [];
    return [{ name, file: join("snapshots", file), images: Number(images), average }];
  });
}

/** What a training's config.json says: the average that its final model is, and images seen at the end. */
async function trainingOf(folder: string): Promise<{ average?: string; images?: number }> {
  const text = await readFile(join(folder, "config.json"), "utf8");
  const known = z.object({
    training: z.object({
      images: z.number(),
      batchSize: z.number(),
      ema: z.array(z.object({ name: z.string() })).min(1),
    }),
  });
  const found = known.safeParse(jsonOf(text, join(folder, "config.json")));
  if (!found.success) return {};
  const { images, batchSize, ema } = found.data.training;
  return { average: ema[0].name, images: Math.ceil(images / batchSize) * batchSize };
}

function alone(folder: string, network: string, name: string): LocatedBundle {
  return { folder, bundle: bundleSchema.parse({ format: "fairlead.bundle.1", name, network }) };
}

function parseBundle(text: string, path: string): Bundle {
  return parseWith(bundleSchema, jsonOf(text, path), path);
}

function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FileError(`${path} is not JSON: ${(error as Error).message}`);
  }
}

function filesOf({ network, unconditional, guides, classifier, extractor, results }: Bundle): string[] {
  return [network, unconditional, classifier, extractor, results, ...Object.values(guides)].filter(
    (name) => name !== null,
  );
}

/** Files of a bundle stay inside its folder. */
function checkInside(folder: string, name: string, manifest: string): void {
  if (!resolve(folder, name).startsWith(resolve(folder) + sep)) {
    throw new FileError(`${manifest} names "${name}", which is outside of its folder: this is refused`);
  }
}

async function kindOf(path: string): Promise<"file" | "folder" | null> {
  const found = await stat(path).catch(() => null);
  return found ? (found.isDirectory() ? "folder" : "file") : null;
}
