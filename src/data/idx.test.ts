import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { FileError } from "../base/errors.ts";
import { encodeIdx, parseIdx, readIdx } from "./idx.ts";

const array = { shape: [3, 2, 4], data: Uint8Array.from({ length: 24 }, (_, i) => (i * 37) % 256) };
const zipped = encodeIdx(array);
const plain = Uint8Array.from(gunzipSync(zipped));

/** A copy of the plain file with some bytes changed. */
function patched(changes: Record<number, number>): Uint8Array {
  const bytes = Uint8Array.from(plain);
  for (const [at, value] of Object.entries(changes)) bytes[Number(at)] = value;
  return bytes;
}

/** Like `array`, big enough that its gzip stream goes beyond the part that the header is read from. */
const large = {
  shape: [100, 10, 10],
  data: Uint8Array.from({ length: 10_000 }, (_, i) => Math.imul(i, 2654435761) >>> 24),
};

describe("good files", () => {
  test("what is written is read again, gzipped or plain", async () => {
    expect(plain.slice(0, 16)).toEqual(Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 4]));
    for (const file of [zipped, plain]) {
      const got = await parseIdx(file, 3, "f");
      expect(got.shape).toEqual(array.shape);
      expect(Uint8Array.from(got.data)).toEqual(array.data);
    }
    expect(Uint8Array.from((await parseIdx(encodeIdx(large), 3, "f")).data)).toEqual(large.data);
  });

  test("a file on disk is read, a missing one is named", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fairlead-idx-"));
    const path = join(folder, "labels.gz");
    writeFileSync(path, encodeIdx({ shape: [2], data: Uint8Array.of(7, 9) }));
    expect(Array.from((await readIdx(path, 1)).data)).toEqual([7, 9]);
    await expect(readIdx(join(folder, "none.gz"), 1)).rejects.toThrow(/none\.gz cannot be read \(ENOENT\)/);
  });
});

describe("bad files are refused with the file's name, what was wanted and what came", () => {
  const cases: [string, Uint8Array, RegExp][] = [
    [
      "labels for images",
      patched({ 3: 1 }),
      /magic number 0x00000803 \(unsigned bytes, 3 dimensions\), got 0x00000801/,
    ],
    ["floats for bytes", patched({ 2: 13 }), /got 0x00000d03/],
    ["no IDX at all", new TextEncoder().encode("<!doctype html><title>404</title>"), /got 0x3c21646f/],
    ["an empty file", new Uint8Array(0), /header of 16 bytes, got 0/],
    ["a cut header", plain.subarray(0, 15), /header of 16 bytes, got 15/],
    ["a cut body", plain.subarray(0, 39), /\[3, 2, 4\] asks for 40 bytes, but the file can hold at most 39/],
    ["bytes behind the end", Uint8Array.of(...plain, 0), /asks for 40 bytes, but it holds 41/],
    ["a huge dimension", patched({ 4: 255 }), /\[4278190083, 2, 4\] asks for .* can hold at most 40/],
    ["a huge dimension, gzipped", gzipSync(patched({ 4: 255, 8: 255 })), /but the file can hold at most/],
    ["a dimension too large, gzipped", gzipSync(patched({ 7: 4 })), /asks for 48 bytes, but it holds 40/],
    ["a dimension too small, gzipped", gzipSync(patched({ 7: 2 })), /asks for 32 bytes, but it holds more/],
    [
      "a cut gzip stream",
      encodeIdx(large).subarray(0, 2000),
      /gzip stream is damaged or cut off \(Z_BUF_ERROR\)/,
    ],
    [
      "zeros behind the gzip stream",
      Uint8Array.of(...zipped, 0, 0, 0, 0),
      /bytes behind the end of its gzip stream/,
    ],
    [
      "bytes behind the gzip stream",
      Uint8Array.of(...zipped, 1, 2, 3),
      /gzip stream is damaged \(Z_DATA_ERROR\)/,
    ],
    ["a damaged gzip checksum", zipped.map((b, i) => (i === zipped.length - 6 ? b ^ 1 : b)), /Z_DATA_ERROR/],
  ];

  test.each(cases)("%s", async (_, file, message) => {
    const result = parseIdx(file, 3, "some/file");
    await expect(result).rejects.toThrow(FileError);
    await expect(result).rejects.toThrow(
      /^some\/file is not a valid IDX file: .*replace it with a fresh copy$/,
    );
    await expect(result).rejects.toThrow(message);
  });
});
