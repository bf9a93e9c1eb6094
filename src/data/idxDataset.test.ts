import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import type { Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { FileError } from "../base/errors.ts";
import { cacheFolder } from "./cacheFolder.ts";
import { encodeIdx } from "./idx.ts";
import type { IdxSource } from "./idxDataset.ts";
import { loadIdxDataset } from "./idxDataset.ts";

/** Two 2 x 2 images with all pixels `value`, labels 1 and 0. */
function files(value: number): Record<string, Uint8Array> {
  return {
    "t10k-images-idx3-ubyte.gz": encodeIdx({ shape: [2, 2, 2], data: new Uint8Array(8).fill(value) }),
    "t10k-labels-idx1-ubyte.gz": encodeIdx({ shape: [2], data: Uint8Array.of(1, 0) }),
  };
}

const digest = (file: Uint8Array) => createHash("sha256").update(gunzipSync(file)).digest("hex");
const published = files(200);
const sums = {
  images: digest(published["t10k-images-idx3-ubyte.gz"]),
  labels: digest(published["t10k-labels-idx1-ubyte.gz"]),
};
const source: IdxSource = {
  name: "tiny",
  classes: ["left", "right"],
  url: "http://127.0.0.1:9/",
  systemFolder: "/nowhere",
  sha256: { train: sums, test: sums },
};

const newFolder = () => mkdtempSync(join(tmpdir(), "fairlead-data-"));

function put(folder: string, value: number): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files(value))) writeFileSync(join(folder, name), bytes);
  return folder;
}

const middle = 15 * 32 + 15;

describe("where the files are looked for", () => {
  test("the path given, then the cache, then the system's folder", async () => {
    const path = put(newFolder(), 1);
    const cache = newFolder();
    const systemFolder = put(newFolder(), 3);
    expect((await loadIdxDataset(source, "test", { path, cache, systemFolder })).images[middle]).toBe(1);
    expect((await loadIdxDataset(source, "test", { cache, systemFolder })).images[middle]).toBe(3);
    put(join(cache, "tiny"), 2);
    expect((await loadIdxDataset(source, "test", { cache, systemFolder })).images[middle]).toBe(2);
  });

  test("a given path without the files is an error; nothing else is tried", async () => {
    const cache = newFolder();
    put(join(cache, "tiny"), 2);
    await expect(loadIdxDataset(source, "train", { path: cache, cache })).rejects.toThrow(
      `${cache} has no tiny: wanted train-images-idx3-ubyte[.gz] and train-labels-idx1-ubyte[.gz] in it`,
    );
  });

  test("unpacked files will do, and images come padded to 32 x 32 with their labels and classes", async () => {
    const path = newFolder();
    for (const [name, bytes] of Object.entries(files(9))) {
      writeFileSync(join(path, name.replace(".gz", "")), gunzipSync(bytes));
    }
    const dataset = await loadIdxDataset(source, "test", { path });
    expect([dataset.name, dataset.count, dataset.shape, dataset.classes]).toEqual([
      "tiny:test",
      2,
      [1, 32, 32],
      ["left", "right"],
    ]);
    const out = new Float32Array(1024);
    expect(dataset.batch([0], out)).toEqual([1]);
    expect([out[0], out[middle], out[middle + 33], out[middle + 34]]).toBeAllClose(
      [-1, 9 / 127.5 - 1, 9 / 127.5 - 1, -1],
      { abs: 1e-7 },
    );
  });

  test("the cache is FAIRLEAD_CACHE, or .cache/fairlead at home", () => {
    expect(cacheFolder({ FAIRLEAD_CACHE: "/x" })).toBe("/x");
    expect(cacheFolder({})).toMatch(/\.cache[/\\]fairlead$/);
  });
});

describe("download", () => {
  let server: Server | undefined;

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
  });

  async function serve(answer: (name: string, response: ServerResponse) => void): Promise<string> {
    server = createServer((request, response) => answer(request.url!.slice(1), response));
    await new Promise<void>((ready) => server!.listen(0, "127.0.0.1", ready));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  test("fetches what is missing with progress, keeps it, and does not ask again", async () => {
    const asked: string[] = [];
    const url = await serve((name, response) => {
      asked.push(name);
      response.setHeader("content-length", published[name].length);
      response.end(published[name]);
    });
    const cache = newFolder();
    const ends: unknown[] = [];
    const dataset = await loadIdxDataset(source, "test", {
      cache,
      url,
      onProgress: ({ url: from, received, total }) => {
        if (received === total) ends.push([from, total]);
      },
    });
    expect(dataset.images[middle]).toBe(200);
    expect(ends).toEqual(asked.map((name) => [url + name, published[name].length]));
    expect(readdirSync(join(cache, "tiny")).sort()).toEqual(Object.keys(published));

    await loadIdxDataset(source, "test", { cache, url });
    expect(asked).toHaveLength(2);
  });

  const failures: [string, (response: ServerResponse, bytes: Uint8Array) => void, RegExp][] = [
    [
      "other content under the same name",
      (response) => response.end(files(7)["t10k-images-idx3-ubyte.gz"]),
      /its content has SHA-256 [0-9a-f]{64}, wanted [0-9a-f]{64}/,
    ],
    [
      "a connection cut half-way",
      (response, bytes) => {
        response.setHeader("content-length", bytes.length);
        response.write(bytes.subarray(0, 20));
        setTimeout(() => response.destroy(), 20);
      },
      /other side closed/,
    ],
    ["half a file sent as a whole", (response, bytes) => response.end(bytes.subarray(0, 20)), /cut off/],
    ["a page instead of the file", (response) => response.end("<html>"), /its content has SHA-256/],
    ["no such file there", (response) => response.writeHead(404).end(), /the server answered 404 Not Found/],
  ];

  test.each(failures)("%s: one clear error, and nothing is left behind", async (_, answer, message) => {
    const url = await serve((name, response) => answer(response, published[name]));
    const cache = newFolder();
    const result = loadIdxDataset(source, "test", { cache, url });
    await expect(result).rejects.toThrow(FileError);
    await expect(result).rejects.toThrow(message);
    await expect(result).rejects.toThrow(
      `or fetch it by other means and save it as ${join(cache, "tiny", "t10k-labels-idx1-ubyte.gz")}`,
    );
    expect(readdirSync(join(cache, "tiny"))).toEqual([]);
  });

  test("a refused connection and an abort are errors of the same kind", async () => {
    const gone = await serve(() => undefined);
    server!.close();
    await expect(loadIdxDataset(source, "test", { cache: newFolder(), url: gone })).rejects.toThrow(
      /ECONNREFUSED/,
    );
    const url = await serve(() => undefined); // never answers
    const signal = AbortSignal.timeout(50);
    await expect(loadIdxDataset(source, "test", { cache: newFolder(), url, signal })).rejects.toThrow(
      /could not be downloaded: .*timeout/,
    );
  });
});
