import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
  return encode({ width, height, channels: colour.length as 1 | 2 | 3 | 4, data });
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
    const bigJpg = jpg.map((byte, i) => (i >= sof + 5 && i < sof + 9 ? 0xff : byte));
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
});
