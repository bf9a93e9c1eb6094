import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { FileError } from "../base/errors.ts";
import type { ExternalFiles } from "../graph/index.ts";
import { readError } from "./atomicFile.ts";

/** The most bytes that Node reads at once. */
const PIECE = 2 ** 30;

/**
 * The files in the folder of the model at `path`, for `readOnnx`. Links are followed, but not out of that folder, or of the
 * folder of the file that the model itself is a link to (as in caches that keep all files under their hashes).
 *
 * Throws FileError for a file elsewhere, one that is not there, and one that is no longer the file that it was.
 */
export function besideModel(path: string): ExternalFiles {
  const seen = new Map<string, Seen>();
  const find = (location: string): Seen => {
    const known = seen.get(location) ?? look(path, location);
    seen.set(location, known);
    return known;
  };
  return {
    size: (location) => find(location).size,
    read(location, offset, length) {
      const { file, state } = find(location);
      if (look(path, location).state !== state)
        throw new FileError(`${file} has changed since ${path} was opened: open the model again`);
      return readPart(file, offset, length);
    },
  };
}

interface Seen {
  readonly file: string;
  readonly size: number;
  /** Another one when the file was replaced or written to. */
  readonly state: string;
}

function look(path: string, location: string): Seen {
  const file = join(dirname(path), location);
  try {
    const real = realpathSync(file);
    const folders = [realpathSync(dirname(path)), dirname(realpathSync(path))];
    if (!folders.some((folder) => isInside(folder, real))) {
      throw new FileError(`${path} keeps tensors in ${real}, which is not in its folder: it is not opened`);
    }
    const { size, mtimeMs, ino } = statSync(real);
    return { file, size, state: `${ino} ${size} ${mtimeMs}` };
  } catch (error) {
    throw readError(error, file);
  }
}

function isInside(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function readPart(file: string, offset: number, length: number): ArrayBuffer {
  try {
    const bytes = new Uint8Array(length);
    const handle = openSync(file, "r");
    try {
      for (let at = 0; at < length;) {
        const read = readSync(handle, bytes, at, Math.min(PIECE, length - at), offset + at);
        if (read === 0)
          throw new FileError(`${file} ends at ${offset + at} bytes, wanted ${offset + length}`);
        at += read;
      }
    } finally {
      closeSync(handle);
    }
    return bytes.buffer;
  } catch (error) {
    throw readError(error, file);
  }
}
