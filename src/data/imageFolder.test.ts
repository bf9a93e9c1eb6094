import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { encode } from "fast-png";
import jpeg from "jpeg-js";
import { describe, expect, test } from "vitest";
import { decodeImage } from "./decodeImage.ts";
import { imageFolder } from "./imageFolder.ts";

const newFolder = () => mkdtempSync(join(tmpdir(), "fairlead-images-"));

/** A PNG of one colour. */
function plain(width: number, height: number, colour: readonly number[]): Uint8Array {
  const data = Uint8Array.from(
    { length: width * height * colour.length },
    (_, i) => colour[i % colour.length],
  );
  return encode({ width, height, channels: colour.length, data });
}

/** A PNG by hand: `rows` are its bytes with a filter byte 0 before each row; colour type 0 grey, 3 palette. */
function handMade(
  { width, height, depth, type }: { width: number; height: number; depth: number; type: 0 | 3 },
  rows: readonly number[],
  more: [string, readonly number[]][] = [],
): Uint8Array {
  const chunk = (name: string, data: ArrayLike<number>) => {
    const body = [...new TextEncoder().encode(name), ...Array.from(data)];
    return [...bigEndian(data.length), ...body, ...bigEndian(crc(body))];
  };
  return Uint8Array.from([
    ...[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    ...chunk("IHDR", [...bigEndian(width), ...bigEndian(height), depth, type, 0, 0, 0]),
    ...more.flatMap(([name, data]) => chunk(name, data)),
    ...chunk("IDAT", deflateSync(Uint8Array.from(rows))),
    ...chunk("IEND", []),
  ]);
}

const bigEndian = (v: number) => [v >>> 24, (v >>> 16) & 255, (v >>> 8) & 255, v & 255];

function crc(bytes: readonly number[]): number {
  let c = 0xffffffff;
  for (const byte of bytes) {
    c ^= byte;
    for (let k = 0; k < 8; k++) c = (c >>> 1) ^ (c & 1 ? 0xedb88320 : 0);
  }
  return ~c >>> 0;
}

/** A folder with these files; names may hold one folder. */
function folderOf(files: Record<string, Uint8Array | string>): string {
  const root = newFolder();
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), bytes);
  }
  return root;
}

describe("imageFolder", () => {
  test("subfolders are classes in the order of their names, pictures in the order of theirs", async () => {
    const root = folderOf({
      "dog/a.png": plain(8, 8, [255, 0, 0]),
      "cat/b.PNG": plain(4, 9, [0, 255, 0]),
      "cat/a.png": plain(2, 2, [7]),
      "cat/notes.txt": "passed over",
      ".hidden/x.png": "passed over",
    });
    const dataset = await imageFolder(root, { size: 2 });
    expect(dataset.classes).toEqual(["cat", "dog"]);
    expect(Array.from(dataset.labels!)).toEqual([0, 0, 1]);
    expect(dataset.shape).toEqual([3, 2, 2]);
    expect(Array.from(dataset.images)).toEqual([
      ...[7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
      ...[0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0],
      ...[255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0],
    ]);
  });

  test("a flat folder has no labels; grey is one channel", async () => {
    const root = folderOf({ "1.png": plain(5, 5, [0, 255, 0]), "2.png": plain(1, 1, [9]) });
    const dataset = await imageFolder(root, { size: 1, channels: 1 });
    expect([dataset.labels, dataset.classes, dataset.shape]).toEqual([null, [], [1, 1, 1]]);
    expect(Array.from(dataset.images)).toEqual([150, 9]);
  });

  test("a wide picture gives its middle square, averaged", async () => {
    const data = Uint8Array.of(255, 0, 40, 255, 255, 80, 120, 255);
    const root = folderOf({ "w.png": encode({ width: 4, height: 2, channels: 1, data }) });
    expect(Array.from((await imageFolder(root, { size: 1, channels: 1 })).images)).toEqual([60]);
  });

  test("a JPEG is read within its own loss", async () => {
    const data = new Uint8Array(16 * 16 * 4).map((_, i) => [200, 100, 50, 255][i % 4]);
    const root = folderOf({ "x/p.jpg": jpeg.encode({ width: 16, height: 16, data }, 95).data });
    const { images } = await imageFolder(root, { size: 4 });
    expect([images[0], images[16], images[32]]).toBeAllClose([200, 100, 50], { abs: 3 });
  });

  test("errors name the file or the folder", async () => {
    const big = plain(1, 1, [0]);
    new DataView(big.buffer, big.byteOffset).setUint32(16, 100_000);
    new DataView(big.buffer, big.byteOffset).setUint32(20, 100_000);
    const jpg = Uint8Array.from(jpeg.encode({ width: 16, height: 16, data: new Uint8Array(1024) }, 90).data);
    const sof = jpg.findIndex((byte, i) => byte === 0xff && jpg[i + 1] === 0xc0);
    const bigJpg = // 9000 x 9000
      jpg.map((byte, i) => (i >= sof + 5 && i < sof + 9 ? [0x23, 0x28][(i - sof - 5) % 2] : byte));
    const cases: [Record<string, Uint8Array | string>, RegExp][] = [
      [{ "c/a.png": plain(3, 3, [1]).subarray(0, 50) }, /a\.png is not a readable PNG picture/],
      [
        { "c/a.png": plain(3, 3, [1]).map((b, i) => (i === 45 ? b ^ 255 : b)) },
        /a\.png is not a readable PNG picture/,
      ],
      [{ "c/a.png": big }, /a\.png .* 100000 x 100000 pixels is not within/],
      [{ "c/a.jpg": jpg.subarray(0, 300) }, /a\.jpg is not a readable JPEG picture/],
      [{ "c/a.jpg": bigJpg }, /a\.jpg is not a readable JPEG picture: maxResolutionInMP limit exceeded/],
      [{ "c/a.png": "text" }, /a\.png is neither a PNG nor a JPEG/],
      [{ "c/a.png": plain(1, 1, [1]), "b.png": plain(1, 1, [1]) }, /has pictures beside subfolders/],
      [{ "c/a.png": plain(1, 1, [1]), "d/notes.txt": "" }, /d has no \.png, \.jpg or \.jpeg picture/],
      [{ "notes.txt": "" }, /has no \.png, \.jpg or \.jpeg picture and no subfolder/],
    ];
    for (const [files, message] of cases) await expect(imageFolder(folderOf(files))).rejects.toThrow(message);
    await expect(imageFolder("/no/such/folder")).rejects.toThrow(
      /\/no\/such\/folder cannot be read .*ENOENT/,
    );
    await expect(imageFolder(newFolder(), { size: 0 })).rejects.toThrow(
      "an integer from 1 to 1024 pixels, got 0",
    );
  });
});

describe("decodeImage", () => {
  test("transparency is laid over white", () => {
    expect(Array.from(decodeImage(plain(1, 1, [0, 100, 200, 51]), "f").data)).toEqual([204, 224, 244]);
    expect(Array.from(decodeImage(plain(1, 1, [0, 0]), "f").data)).toEqual([255]);
  });

  test("16-bit values are rounded to 8", () => {
    const data = Uint16Array.of(65535, 257 * 77, 128, 129);
    const png = encode({ width: 2, height: 2, channels: 1, depth: 16, data });
    expect(Array.from(decodeImage(png, "f").data)).toEqual([255, 77, 0, 1]);
  });

  test("grey of 1, 2 and 4 bits fills the range from 0 to 255, rows beginning at a byte", () => {
    const grey = (depth: number, rows: number[]) =>
      Array.from(decodeImage(handMade({ width: 3, height: 2, depth, type: 0 }, rows), "f").data);
    expect(grey(1, [0, 0b10100000, 0, 0b01100000])).toEqual([255, 0, 255, 0, 255, 255]);
    expect(grey(2, [0, 0b00011000, 0, 0b11000100])).toEqual([0, 85, 170, 255, 0, 85]);
    expect(grey(4, [0, 0x0f, 0x10, 0, 0x23, 0xf0])).toEqual([0, 255, 17, 34, 51, 255]);
  });

  test("a palette gives its colours, its transparency is laid over white", () => {
    const palette: [string, number[]] = ["PLTE", [1, 2, 3, 40, 50, 60]];
    const indexed = { width: 3, height: 1, depth: 2, type: 3 } as const;
    const rows = [0, 0b00010000];
    expect(Array.from(decodeImage(handMade(indexed, rows, [palette]), "f").data)).toEqual([
      1, 40, 1, 2, 50, 2, 3, 60, 3,
    ]);
    const clear = handMade(indexed, rows, [palette, ["tRNS", [0]]]);
    expect(Array.from(decodeImage(clear, "f").data)).toEqual([255, 40, 255, 255, 50, 255, 255, 60, 255]);
  });

  test("a picture with fewer rows than it declares is refused", () => {
    for (const depth of [1, 8]) {
      const rows = depth === 1 ? [0, 0x80] : [0, 1, 2, 3];
      expect(() => decodeImage(handMade({ width: 3, height: 2, depth, type: 0 }, rows), "some.png")).toThrow(
        /some\.png is not a readable PNG picture/,
      );
    }
  });
});
