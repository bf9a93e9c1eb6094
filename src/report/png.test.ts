import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, inflateSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { FileError } from "../base/errors.ts";
import type { Picture } from "./picture.ts";
import type { Recipe } from "./png.ts";
import { decodePng, encodeIndexedPng, encodePng, readRecipe, writePng } from "./png.ts";

const folder = mkdtempSync(join(tmpdir(), "fairlead-png-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const picture: Picture = {
  width: 3,
  height: 2,
  channels: 1,
  data: Uint8Array.from([0, 1, 2, 253, 254, 255]),
};

const recipe: Recipe = {
  command: 'fairlead sample fashion-mnist --label "Schürze 裙 👗" --guidance cfg:4',
  model: "fashion-mnist",
  guidance: "cfg:4+pag:scale=3",
  seeds: [0, 1, 2],
  sampler: "heun",
  steps: 32,
  versions: { fairlead: "0.1.0" },
  labels: ["é\u0000\u007f\u0085\n"],
};

/** The chunks of a PNG, read by hand: name, content, and whether the checksum holds. */
function chunks(png: Uint8Array): { name: string; data: Buffer; intact: boolean }[] {
  const file = Buffer.from(png);
  expect(file.subarray(0, 8).toString("hex")).toBe("89504e470d0a1a0a");
  const found = [];
  for (let at = 8; at < file.length;) {
    const length = file.readUInt32BE(at);
    const name = file.toString("latin1", at + 4, at + 8);
    const data = file.subarray(at + 8, at + 8 + length);
    found.push({
      name,
      data,
      intact: crc32(file.subarray(at + 4, at + 8 + length)) === file.readUInt32BE(at + 8 + length),
    });
    at += 12 + length;
  }
  return found;
}

test("grey and RGB pictures come back pixel for pixel", () => {
  expect(decodePng(encodePng(picture))).toEqual(picture);
  const colours: Picture = {
    width: 1,
    height: 2,
    channels: 3,
    data: Uint8Array.from([1, 2, 3, 200, 100, 50]),
  };
  expect(decodePng(encodePng(colours, recipe))).toEqual(colours);
});

test("an independent reading of the file finds intact chunks, the pixels, and an ASCII tEXt with the recipe", () => {
  const read = chunks(encodePng(picture, recipe));
  expect(read.every((chunk) => chunk.intact)).toBe(true);
  expect(read[0].name).toBe("IHDR");
  expect(read.at(-1)?.name).toBe("IEND");

  const pixels = inflateSync(Buffer.concat(read.filter((c) => c.name === "IDAT").map((c) => c.data)));
  expect(Array.from(pixels)).toEqual([0, 0, 1, 2, 0, 253, 254, 255]);

  const text = read.find((chunk) => chunk.name === "tEXt")?.data.toString("latin1") ?? "";
  expect(text).toMatch(/^fairlead\u0000[\u0020-\u007e]+$/);
  expect(JSON.parse(text.slice("fairlead".length + 1))).toEqual(recipe);
});

test("the recipe comes back with every letter of every script", () => {
  expect(readRecipe(encodePng(picture, recipe))).toEqual(recipe);
});

test("a picture without a recipe has none, and a text that is no recipe is told", () => {
  expect(readRecipe(encodePng(picture))).toBeNull();
  const foreign = encodePng(picture, { command: "x" } as unknown as Recipe);
  expect(() => readRecipe(foreign, "a.png")).toThrow(/^a\.png has a "fairlead" text that is not a recipe/);
});

test("bytes that are no PNG, are cut short, or have a flipped bit are refused with the file's name", () => {
  const png = encodePng(picture, recipe);
  const flipped = Uint8Array.from(png);
  flipped[flipped.length - 30] ^= 1;
  for (const bytes of [new Uint8Array(3), png.slice(0, 40), flipped]) {
    expect(() => readRecipe(bytes, "b.png")).toThrow(FileError);
    expect(() => readRecipe(bytes, "b.png")).toThrow(/^b\.png is not a PNG file or is damaged/);
  }
});

test("an indexed PNG carries its palette", () => {
  const read = chunks(
    encodeIndexedPng(2, 1, Uint8Array.from([1, 0]), [
      [255, 255, 255],
      [1, 2, 3],
    ]),
  );
  expect(read.every((chunk) => chunk.intact)).toBe(true);
  expect(Array.from(read.find((c) => c.name === "PLTE")?.data ?? [])).toEqual([255, 255, 255, 1, 2, 3]);
});

test("a written file is whole, and leaves no temporary one behind", async () => {
  const path = join(folder, "grid.png");
  await writePng(path, picture);
  await writePng(path, picture, recipe);
  expect(readRecipe(readFileSync(path))).toEqual(recipe);
  expect(readdirSync(folder)).toEqual(["grid.png"]);
});

test("a place that cannot be written to is one sentence with its path", async () => {
  const path = join(folder, "missing", "grid.png");
  await expect(writePng(path, picture)).rejects.toThrow(FileError);
  await expect(writePng(path, picture)).rejects.toThrow(`cannot write ${path}: `);
});
