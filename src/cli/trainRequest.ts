import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { UsageError } from "../base/errors.ts";
import { isJsonObject } from "../training/json.ts";
import type { JsonObject } from "../training/json.ts";
import { type RunConfig, parseRun } from "../training/modelConfig.ts";
import { applyOverrides } from "../training/overrides.ts";
import { presets } from "../training/presets.ts";
import { commandLine } from "./commandLine.ts";
import { common, readOptions } from "./options.ts";

const trainOptions = {
  set: z.array(z.string()).default([]),
  out: z.string().min(1, "the name of a folder").optional(),
  data: z.string().min(1, "a folder").optional(),
  ...common,
};

/** What `fairlead train` is asked for. */
export interface TrainRequest {
  readonly name: string;
  readonly config: RunConfig;
  readonly out: string;
  /** What to type for the same training anywhere: stands on the card of every model it makes. */
  readonly command: string;
  /** What to type to go on with this one. */
  readonly resume: string;
  readonly options: z.output<z.ZodObject<typeof trainOptions>>;
}

/** Reads the command line of `fairlead train`. Throws UsageError naming the first thing that is wrong. */
export async function trainRequest(what: string, given: unknown): Promise<TrainRequest> {
  const options = readOptions(trainOptions, given);
  const { name, config } = await configOf(what);
  const out = options.out ?? join("runs", name);
  const words = ["fairlead", "train", what, ...options.set.flatMap((pair) => ["--set", pair])];
  const places = Object.entries({ out: options.out, data: options.data });
  const where = places.flatMap(([key, value]) => (value === undefined ? [] : [`--${key}`, value]));
  return {
    name,
    config: parseRun(applyOverrides(config, options.set)),
    out,
    command: commandLine(words),
    resume: commandLine([...words, ...where]),
    options,
  };
}

/** The configuration of a preset, or in a JSON file. */
async function configOf(what: string): Promise<{ name: string; config: JsonObject }> {
  if (Object.hasOwn(presets, what)) {
    return { name: what, config: presets[what].config as unknown as JsonObject };
  }
  const text = await readFile(what, "utf8").catch(() => null);
  if (text === null) {
    throw new UsageError(
      `there is no preset or file "${what}"; presets are ${Object.keys(presets).join(", ")}; a file holds the same as JSON`,
    );
  }
  const config = parsed(text);
  if (!isJsonObject(config))
    throw new UsageError(`${what} is not a JSON object with network, objective, data and training`);
  return { name: basename(what).replace(/\.json$/, ""), config };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
