import { FileError } from "../../base/errors.ts";

/**
 * The files beside a model that hold its large tensors, read piece by piece when they are wanted.
 * Locations are relative to the model's folder, with "/" between names, and never lead out of it.
 */
export interface ExternalFiles {
  /** Bytes in the file. Throws FileError when there is no such file. */
  size(location: string): number;
  /** `length` bytes from `offset` on, in a buffer of their own. Throws FileError when they cannot be had. */
  read(location: string, offset: number, length: number): ArrayBuffer;
}

/** What the functions that read a file's messages are told. */
export interface Reading {
  /** The error that says what is wrong with the file. */
  wrong(what: string): FileError;
  readonly external: ExternalFiles | null;
}

/** Reading of the file called `file`. */
export function readingOf(file: string, external: ExternalFiles | null): Reading {
  return { wrong: (what) => new FileError(`${file} ${what}`), external };
}

/** Reading inside a part of the file, which errors then name. */
export function inside(reading: Reading, part: string): Reading {
  return { ...reading, wrong: (what) => reading.wrong(`has ${part} that ${what}`) };
}
