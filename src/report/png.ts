import { Buffer } from "node:buffer";
import { decode, encode } from "fast-png";
import { z } from "zod";
import { FileError } from "../base/errors.ts";
import { writeAtomically } from "../files/atomicFile.ts";
import type { Picture } from "./picture.ts";

/** All that is needed to make a picture again. Further keys are kept as they are. */
export interface Recipe {
  /** What to type to get this picture. */
  readonly command: string;
  readonly model: string;
  /** As in --guidance: "none", "cfg:4+pag:scale=3". */
  readonly guidance: string;
  readonly seeds: readonly number[];
  readonly sampler: string;
  readonly steps: number;
  /** Of fairlead, node and onnxruntime. */
  readonly versions: Readonly<Record<string, string>>;
  readonly [key: string]: unknown;
}

const recipeSchema = z.looseObject({
  command: z.string(),
  model: z.string(),
  guidance: z.string(),
  seeds: z.array(z.number()),
  sampler: z.string(),
  steps: z.number(),
  versions: z.record(z.string(), z.string()),
});

/** Keyword of the PNG text chunk that carries the recipe. */
export const recipeKey = "fairlead";

/**
 * The bytes of a PNG file, with the recipe as JSON in a tEXt chunk named "fairlead".
 *
 * A tEXt chunk is Latin-1, so everything beyond ASCII is written as JSON's own \uXXXX: any PNG reader shows the chunk,
 * any JSON reader gives back the text.
 */
export function encodePng(picture: Picture, recipe?: Recipe): Uint8Array {
  return encode(
    { ...picture, depth: 8, text: recipe && { [recipeKey]: asciiJson(recipe) } },
    { zlib: { level: 9 } },
  );
}

/**
 * A few-coloured picture as the bytes of a PNG file: one byte a pixel, an index into `palette` of [r, g, b]. With the recipe as
 * `encodePng` writes it.
 */
export function encodeIndexedPng(
  width: number,
  height: number,
  indices: Uint8Array,
  palette: readonly (readonly [number, number, number])[],
  recipe?: Recipe,
): Uint8Array {
  const colours = palette.map((colour) => [...colour]);
  return encode(
    {
      ...{ width, height, data: indices, depth: 8, channels: 1, palette: colours },
      text: recipe && { [recipeKey]: asciiJson(recipe) },
    },
    { zlib: { level: 9 } },
  );
}

/** The pixels of an 8-bit grey or RGB PNG. Throws FileError where the bytes are not one, or are damaged. */
export function decodePng(bytes: Uint8Array, name = "the picture"): Picture {
  const { width, height, channels, depth, palette, data } = decoded(bytes, name);
  if (!(data instanceof Uint8Array) || depth !== 8 || palette || (channels !== 1 && channels !== 3)) {
    throw new FileError(
      `${name} has ${channels} channels of ${depth} bits; wanted 8-bit grey or RGB without palette`,
    );
  }
  return { width, height, channels, data };
}

/**
 * The recipe inside a PNG's bytes; null where the picture has none.
 *
 * @param name what to call the picture in an error: its path
 * @throws FileError where the bytes are not a PNG, are damaged, or the recipe is not one
 */
export function readRecipe(bytes: Uint8Array, name = "the picture"): Recipe | null {
  const text = decoded(bytes, name).text[recipeKey];
  if (text === undefined) return null;
  const parsed = recipeSchema.safeParse(parsedJson(text));
  if (!parsed.success) {
    throw new FileError(
      `${name} has a "${recipeKey}" text that is not a recipe; it was not written by fairlead`,
    );
  }
  return parsed.data;
}

/**
 * Writes the picture and its recipe to `path`, in a folder that exists: the whole file or nothing.
 *
 * Throws FileError where it cannot be written, as on a full disk.
 */
export async function writePng(path: string, picture: Picture, recipe?: Recipe): Promise<void> {
  await writeAtomically(path, [encodePng(picture, recipe)]);
}

/** A PNG as a data: URI, for pages and SVGs that need nothing outside themselves. */
export function dataUri(png: Uint8Array): string {
  return `data:image/png;base64,${Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString("base64")}`;
}

function decoded(bytes: Uint8Array, name: string): ReturnType<typeof decode> {
  try {
    return decode(bytes, { checkCrc: true });
  } catch {
    throw new FileError(`${name} is not a PNG file or is damaged; make it again or give another path`);
  }
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
