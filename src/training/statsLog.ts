import { appendFile, readFile, truncate } from "node:fs/promises";
import { codeOf, writeError } from "../files/atomicFile.ts";
import { type JsonObject, isJsonObject } from "./json.ts";

/**
 * Cuts a log of one JSON object a line after the last whole line with `step` <= the given step, so that a resumed
 * training that repeats the steps since its checkpoint writes no line twice. A missing log is left missing.
 */
export async function truncateStats(path: string, step: number): Promise<void> {
  try {
    const bytes = await readFile(path);
    let end = 0;
    for (let newline = bytes.indexOf(10); newline >= 0; newline = bytes.indexOf(10, end)) {
      if (!(stepOf(bytes.toString("utf8", end, newline)) <= step)) break;
      end = newline + 1;
    }
    if (end < bytes.length) await truncate(path, end);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw writeError(error, path);
  }
}

/** Appends one line. Throws FileError when it cannot. */
export async function appendStats(path: string, line: JsonObject): Promise<void> {
  try {
    await appendFile(path, `${JSON.stringify(line)}\n`);
  } catch (error) {
    throw writeError(error, path);
  }
}

/** The step of a line; NaN when the line is broken. */
function stepOf(line: string): number {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? Number(value.step) : NaN;
  } catch {
    return NaN;
  }
}
