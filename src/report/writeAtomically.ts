import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { FileError } from "../base/errors.ts";

/**
 * Writes a file as a whole or not at all: under a temporary name beside it, then renamed. Missing folders are made.
 * What stood at `path` stays as it was until the new file is complete.
 *
 * @throws FileError where it cannot be written; the temporary file is removed
 */
export function writeAtomically(path: string, content: Uint8Array | string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeOrRemove(temporary, content);
    renameSync(temporary, path);
  } catch (error) {
    throw new FileError(`cannot write ${path}: ${whyNotWritten(error)}`, { cause: error });
  }
}

function writeOrRemove(path: string, content: Uint8Array | string): void {
  try {
    writeFileSync(path, content, { flush: true });
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

/** What a failed write of the file system means to a user, and the way out. */
export function whyNotWritten(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return "the disk is full; free some space or choose another folder with --out";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "this place may not be written to; choose another folder with --out";
    case "EISDIR":
    case "ENOTDIR":
    case "EEXIST":
      return "a file and a folder of the same name are in each other's way; choose another folder with --out";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
