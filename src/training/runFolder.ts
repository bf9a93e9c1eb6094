import { mkdir, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { FileError, UsageError } from "../base/errors.ts";
import { codeOf, writeAtomically, writeError } from "../files/atomicFile.ts";
import { type Json, firstDifference } from "./json.ts";

/** The files of one training. */
export interface RunFolder {
  readonly out: string;
  readonly config: string;
  readonly state: string;
  readonly stats: string;
  /** The final model of the first average. */
  readonly model: string;
  /** The model file of one average after so many images. */
  snapshot(images: number, ema: string): string;
  preview(images: number, name: string): string;
}

export function runFolder(out: string): RunFolder {
  return {
    out,
    config: join(out, "config.json"),
    state: join(out, "state.safetensors"),
    stats: join(out, "stats.jsonl"),
    model: join(out, "model.safetensors"),
    snapshot: (images, ema) => join(out, "snapshots", `${images}-${ema}.safetensors`),
    preview: (images, name) => join(out, "previews", `${images}-${name}`),
  };
}

/**
 * Makes the folder of a new training, or enters the folder of the same one. Returns whether a state to resume from is there.
 *
 * Throws UsageError when `out` is a file, holds something else, or holds a training of another configuration (the error
 * names the first key that differs); FileError when its config.json is damaged or the folder cannot be written.
 */
export async function enterRun(folder: RunFolder, config: Json): Promise<{ resumable: boolean }> {
  const files = await list(folder.out);
  if (files.includes("config.json")) {
    await checkSameConfig(folder, config);
  } else {
    if (files.some((file) => file !== "config.json.tmp")) {
      throw new UsageError(
        `the folder ${folder.out} exists and holds no training of Fairlead; give --out a new or empty folder`,
      );
    }
    await writeAtomically(folder.config, `${JSON.stringify(config, null, 2)}\n`);
  }
  await makeFolder(join(folder.out, "snapshots"));
  await makeFolder(join(folder.out, "previews"));
  return { resumable: files.includes("state.safetensors") };
}

async function list(out: string): Promise<string[]> {
  try {
    return await readdir(out);
  } catch (error) {
    if (codeOf(error) === "ENOTDIR") {
      throw new UsageError(`${out} is a file; give --out the name of a folder`, { cause: error });
    }
    if (codeOf(error) !== "ENOENT") throw writeError(error, out);
    await makeFolder(out);
    return [];
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw writeError(error, path);
  }
}

async function checkSameConfig(folder: RunFolder, config: Json): Promise<void> {
  let there: Json;
  try {
    there = JSON.parse(await readFile(folder.config, "utf8")) as Json;
  } catch (error) {
    throw new FileError(`${folder.config} is damaged: it is not JSON; train into a new folder`, {
      cause: error,
    });
  }
  const difference = firstDifference(there, JSON.parse(JSON.stringify(config)) as Json);
  if (!difference) return;
  const { path, a, b } = difference;
  throw new UsageError(
    `${folder.out} holds a training with another configuration: ${path} is ${shown(a)} there and ${shown(b)} now; ` +
      `give the same configuration to resume it, or another --out`,
  );
}

function shown(value: Json | undefined): string {
  return value === undefined ? "not set" : JSON.stringify(value);
}
