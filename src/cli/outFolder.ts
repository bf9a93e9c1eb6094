import { mkdir, readdir, rmdir } from "node:fs/promises";
import { UsageError } from "../base/errors.ts";
import { codeOf, writeError } from "../files/atomicFile.ts";

export interface OutOptions {
  /** The folder asked for; absent: a new one, STEM-1, STEM-2, ... */
  readonly out?: string;
  /** Write into a folder that holds something: files of the same names are replaced, all others stay. */
  readonly overwrite?: boolean;
  readonly stem: string;
}

/**
 * Runs `work` with a folder to write to, made where it is not there; when `work` fails, a folder that was made for it and
 * is still empty goes again. Throws UsageError for a folder that is not empty, unless `overwrite`.
 */
export async function withOutFolder<T>(
  options: OutOptions,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const { folder, made } =
    options.out === undefined
      ? await numbered(options.stem)
      : await given(options.out, options.overwrite ?? false);
  try {
    return await work(folder);
  } catch (error) {
    // Fails where the folder holds something, which then stays.
    if (made) await rmdir(folder).catch(() => undefined);
    throw error;
  }
}

/** The first of STEM-1, STEM-2, ... that does not exist, made. */
async function numbered(stem: string): Promise<{ folder: string; made: boolean }> {
  for (let n = 1; ; n++) {
    const folder = `${stem}-${n}`;
    try {
      await mkdir(folder);
      return { folder, made: true };
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw writeError(error, folder);
    }
  }
}

async function given(folder: string, overwrite: boolean): Promise<{ folder: string; made: boolean }> {
  const there = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return null;
    if (codeOf(error) === "ENOTDIR")
      throw new UsageError(`${folder} is a file; give --out the name of a folder`);
    throw writeError(error, folder);
  });
  if (there === null) {
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw writeError(error, folder);
    });
    return { folder, made: true };
  }
  if (there.length > 0 && !overwrite) {
    throw new UsageError(
      `the folder ${folder} exists and is not empty: give another --out, or --overwrite to replace files of the same names`,
    );
  }
  return { folder, made: false };
}
