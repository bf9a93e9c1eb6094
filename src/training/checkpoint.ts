import { createHash } from "node:crypto";
import { FairleadError, FileError } from "../base/errors.ts";
import { readBytes, writeAtomically } from "../files/atomicFile.ts";
import { type JsonObject, isJsonObject } from "./json.ts";
import { flatParameters, namedEntries } from "./namedParameters.ts";
import { type ParameterLayout, layoutOf } from "./objective.ts";
import {
  type Safetensors,
  type SafetensorsEntry,
  decodeSafetensors,
  encodeSafetensors,
} from "./safetensors.ts";

/** What the metadata of a model file calls it. */
export const modelFormat = "fairlead.model.1";

/** A trained network: named parameters, what they are parameters of, and how they came to be. */
export interface ModelFile {
  /** The file it came from, for errors. */
  readonly path: string;
  /** What it is: network, preconditioning, data. Enough to build the network again. */
  readonly config: JsonObject;
  /** How it was made and how well it does: step, images, seed, ema, version, measured results. */
  readonly card: JsonObject;
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
}

/** What is saved: the parameters of a network in one flat array, with config and card. */
export interface Model {
  readonly layout: ParameterLayout;
  readonly parameters: Float32Array;
  readonly config: JsonObject;
  readonly card: JsonObject;
}

/**
 * Writes a model file, atomically: a safetensors file with one array per parameter and the metadata format, config,
 * card (JSON) and sha256 (of the data).
 *
 * `storage` "F16" rounds every value to the nearest 16-bit float (half the size, for shipping).
 * Throws FileError when it cannot be written, FairleadError when a value is not finite or too large for F16.
 */
export async function saveModelFile(
  path: string,
  { layout, parameters, config, card }: Model,
  { storage = "F32" }: { storage?: "F32" | "F16" } = {},
): Promise<void> {
  const limit = storage === "F16" ? 65519 : Number.MAX_VALUE; // the largest float32 that does not round to infinity
  if (!parameters.every((value) => Math.abs(value) <= limit)) {
    throw new FairleadError(
      `${path} was not written: a parameter is not finite, or beyond ${limit} in ${storage}`,
    );
  }
  const entries = new Map(namedEntries(layout, parameters, { storage }));
  const metadata = { format: modelFormat, config: JSON.stringify(config), card: JSON.stringify(card) };
  await writeChecked(path, { entries, metadata });
}

/** The model in a file. Throws FileError when it cannot be read, is damaged, or is not a model of Fairlead. */
export async function loadModelFile(path: string): Promise<ModelFile> {
  const { entries, metadata } = await readChecked(path);
  if (metadata.format !== modelFormat) {
    const what =
      metadata.format === undefined ? "says nothing of its format" : `has the format "${metadata.format}"`;
    throw new FileError(`${path} is not a model of Fairlead: it ${what}, wanted "${modelFormat}"`);
  }
  return { path, config: jsonOf(metadata, "config", path), card: jsonOf(metadata, "card", path), entries };
}

/**
 * The flat parameters of a model, in the order of `layout`, as float32.
 * Throws FileError "this checkpoint is of another network: ..." unless names and shapes are exactly those of the layout.
 */
export function modelParameters(model: ModelFile, layout: ParameterLayout): Float32Array {
  return flatParameters(layout, model.entries, model.path);
}

/**
 * Writes a model again, atomically, with more entries on its card and perhaps in 16 bits: how a trained model with its
 * measured results is made ready to ship. `path` may be the file the model came from.
 */
export async function repackModelFile(
  { path: from, config, card, entries }: ModelFile,
  path: string,
  { card: more = {}, storage = "F32" }: { card?: JsonObject; storage?: "F32" | "F16" } = {},
): Promise<void> {
  const layout = layoutOf([...entries].map(([name, { shape }]) => ({ name, shape })));
  const parameters = flatParameters(layout, entries, from);
  await saveModelFile(path, { layout, parameters, config, card: { ...card, ...more } }, { storage });
}

/** Writes a safetensors file, atomically, with the SHA-256 of its data in the metadata. */
export async function writeChecked(path: string, { entries, metadata }: Safetensors): Promise<void> {
  const [, ...data] = encodeSafetensors({ entries, metadata: {} });
  await writeAtomically(
    path,
    encodeSafetensors({ entries, metadata: { ...metadata, sha256: digest(data) } }),
  );
}

/** The content of a safetensors file; where its metadata hold a SHA-256 of the data, it must be right. */
export async function readChecked(path: string): Promise<Safetensors> {
  const bytes = await readBytes(path);
  const file = decodeSafetensors(bytes, path);
  const dataBytes = [...file.entries.values()].reduce((sum, entry) => sum + entry.bytes.length, 0);
  const data = bytes.subarray(bytes.length - dataBytes);
  if (file.metadata.sha256 !== undefined && file.metadata.sha256 !== digest([data])) {
    throw new FileError(
      `${path} is damaged: its data are not what was written (SHA-256 differs); fetch or train it again`,
    );
  }
  return file;
}

/** The JSON object that stands in the metadata under `key`. */
export function jsonOf(metadata: Readonly<Record<string, string>>, key: string, path: string): JsonObject {
  try {
    const value: unknown = JSON.parse(metadata[key] ?? "null");
    if (isJsonObject(value)) return value;
  } catch {
    // Falls through to the same error.
  }
  throw new FileError(`${path} is damaged: the "${key}" in its metadata is not a JSON object`);
}

function digest(pieces: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}
