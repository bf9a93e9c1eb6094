import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { FileError } from "../base/errors.ts";
import { content } from "./idx.ts";

export interface Progress {
  readonly url: string;
  /** Bytes received so far. */
  readonly received: number;
  /** Bytes to come in all, null where the server does not say. */
  readonly total: number | null;
}

export interface DownloadOptions {
  /** SHA-256 (hex) of the content: of what is inside, if the file is gzip, since the packing may differ by copy. */
  readonly sha256: string;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/**
 * Fetches `url` into the file `path`, whose folder is made. The file appears only when it is complete and its content
 * has the wanted SHA-256; until then it has a temporary name, which is removed on failure.
 *
 * Throws FileError, naming the url, the cause, and where the file may be put by hand.
 */
export async function download(url: string, path: string, options: DownloadOptions): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await receive(url, partial, options);
    const got = createHash("sha256")
      .update(await content(await readFile(partial), url))
      .digest("hex");
    if (got !== options.sha256) throw new Error(`its content has SHA-256 ${got}, wanted ${options.sha256}`);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw new FileError(
      `${url} could not be downloaded: ${cause(error)}; try again, or fetch it by other means and save it as ${path}`,
    );
  }
}

async function receive(url: string, path: string, { onProgress, signal }: DownloadOptions): Promise<void> {
  const response = await fetch(url, { signal });
  if (!response.ok || !response.body)
    throw new Error(`the server answered ${response.status} ${response.statusText}`);
  const length = response.headers.get("content-length");
  const total = length === null ? null : Number(length);
  const file = await open(path, "w");
  try {
    let received = 0;
    for await (const chunk of response.body) {
      await file.writeFile(chunk);
      received += chunk.length;
      onProgress?.({ url, received, total });
    }
    if (total !== null && received !== total) throw new Error(`${received} of ${total} bytes arrived`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What went wrong, in the words of the innermost error (fetch wraps the network's). */
function cause(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) {
    const { code, message } = error.cause as NodeJS.ErrnoException;
    return message || code || error.message;
  }
  return error.message;
}
