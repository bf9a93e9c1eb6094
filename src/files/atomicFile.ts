import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { FileError } from "../base/errors.ts";

/**
 * Writes a file so that at any moment, kill -9 and power failure included, `path` holds its old or its new content whole.
 *
 * The content goes to `path` + ".tmp", reaches the disk, and takes the place of `path` by renaming.
 * Throws FileError when it cannot (disk full, no permission); `path` is then as before and nothing is left behind.
 */
export async function writeAtomically(path: string, pieces: Iterable<Uint8Array> | string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const handle = await open(temporary, "w");
    try {
      for (const piece of typeof pieces === "string" ? [pieces] : pieces) await handle.writeFile(piece);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeError(error, path);
  }
  await syncFolder(dirname(path));
}

/** The bytes of a file. Throws FileError when it cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const { buffer, byteOffset, length } = await readFile(path);
    return new Uint8Array(buffer, byteOffset, length);
  } catch (error) {
    throw readError(error, path);
  }
}

/** The error of a failed read of `path`, in a sentence. */
export function readError(error: unknown, path: string): FileError {
  if (error instanceof FileError) return error;
  return new FileError(`cannot read ${path}: ${reason(error)}`, { cause: error });
}

/** The error of a failed write of `path`, in a sentence. */
export function writeError(error: unknown, path: string): FileError {
  const code = codeOf(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    const message = `disk full: ${path} was not written and what was there before is untouched; free some space and run the same command again`;
    return new FileError(message, { cause: error });
  }
  return new FileError(`cannot write ${path}: ${reason(error)}`, { cause: error });
}

/** The code of a system error, such as "ENOENT". */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

function reason(error: unknown): string {
  switch (codeOf(error)) {
    case "ENOENT":
      return "there is no such file or folder";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "permission denied";
    case "EISDIR":
      return "it is a folder";
    case "ENOTDIR":
      return "a part of its path is not a folder";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

/** Makes a rename last through a power failure. Some systems cannot open folders; there the rename stands alone. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    return;
  }
}
