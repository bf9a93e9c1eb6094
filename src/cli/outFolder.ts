import { readdirSync, rmdirSync } from "node:fs";
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
 * is still empty goes again. The same on Ctrl-C (or SIGTERM), which ends the process; but while a new folder is being written to, it
 * waits for that, and only a second one ends it. Throws UsageError for a folder that is not empty, unless `overwrite`.
 */
export async function withOutFolder<T>(
  options: OutOptions,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const { folder, made } =
    options.out === undefined
      ? await numbered(options.stem)
      : await given(options.out, options.overwrite ?? false);
  const signals = endOnSignals(folder, made);
  try {
    return await work(folder);
  } catch (error) {
    // Fails where the folder holds something, which then stays.
    if (made) await rmdir(folder).catch(() => undefined);
    throw error;
  } finally {
    signals.dispose();
  }
}

/** Ends the process on a signal, without the folder if it was made and is still empty. */
function endOnSignals(folder: string, made: boolean) {
  let again = false;
  const onSignal = (name: NodeJS.Signals): void => {
    if (made && !again) {
      again = true;
      // The last thing that a command does is to write its results, and that takes no time.
      if (readdirSync(folder).length > 0) return;
      rmdirSync(folder);
    }
    // As if nobody had listened: process.exit would wait for the runtime's threads, or stumble over them.
    dispose();
    process.kill(process.pid, name);
  };
  const names: NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
  const dispose = (): void => {
    for (const name of names) process.off(name, onSignal);
  };
  for (const name of names) process.on(name, onSignal);
  return { dispose };
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
