import { readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FileError, UsageError } from "../base/errors.ts";
import {
  type Constant,
  type Graph,
  type Place,
  bytesOfElements,
  byteLengthOf,
  readOnnx,
  writeOnnx,
} from "../graph/index.ts";
import { readBytes, readError, writeAtomically } from "./atomicFile.ts";
import { besideModel } from "./besideModel.ts";

/** The largest file that ONNX's format, protobuf, can be. */
export const LARGEST = 2 ** 31 - 1;

/** Tensors in other files start at whole pages, so that they can be mapped into memory. */
const PAGE = 4096;

/**
 * The graph in an .onnx file. Tensors that it keeps in other files of its folder stay there until their data is looked at,
 * so that a model of any size can be opened.
 *
 * Throws FileError when the file cannot be read or is not what it should be (see `readOnnx`).
 */
export async function openOnnxFile(path: string): Promise<Graph> {
  const { size } = await stat(path).catch((error: unknown) => {
    throw readError(error, path);
  });
  if (size > LARGEST)
    throw new FileError(`${path} has ${size} bytes, but an ONNX file never has more than 2 GB`);
  return readOnnx(await readBytes(path), { file: path, external: besideModel(path) });
}

export interface SaveOptions {
  /**
   * Tensors of at least so many bytes go to another file, "NAME.data" (or "NAME.1.data", ... where that one is taken).
   * Default: all go into the .onnx file, unless it would then have more than 2 GB; in that case 1024.
   */
  readonly externalThreshold?: number;
}

/**
 * Writes a graph as an .onnx file, at any moment whole or not at all; then removes the files of tensors that an earlier
 * model of that name had. Tensors are read and written one after another.
 *
 * Throws UsageError for a threshold that is no size, FileError when it cannot write.
 */
export async function saveOnnxFile(graph: Graph, path: string, options: SaveOptions = {}): Promise<void> {
  const threshold = options.externalThreshold ?? (modelSize(graph) > LARGEST ? 1024 : Infinity);
  if (!(threshold >= 0))
    throw new UsageError(`externalThreshold is a number of bytes, 0 or more, got ${threshold}`);
  const earlier = await dataFiles(path);
  const location = freeName(path, earlier);
  const placed = placements(location, threshold);
  const model = writeOnnx(graph, { outside: placed.outside });
  if (placed.constants.size > 0)
    await writeAtomically(join(dirname(path), location), piecesOf(placed.constants));
  await writeAtomically(path, [model]);
  await Promise.all(earlier.map((name) => rm(join(dirname(path), name), { force: true })));
}

/** About the bytes of the .onnx file with all tensors inside. */
export function modelSize(graph: Graph): number {
  let bytes = 0;
  const counting = (constant: Constant): Place => {
    const length = byteLengthOf(constant.dtype, constant.shape);
    bytes += length;
    return { location: "", offset: 0, length };
  };
  return writeOnnx(graph, { outside: counting }).length + bytes;
}

interface Placed {
  outside(constant: Constant): Place | null;
  /** In the order in which they stand in the file. */
  readonly constants: ReadonlyMap<Constant, Place>;
}

/** Gives each constant of at least `threshold` bytes its place in a file, once. */
function placements(location: string, threshold: number): Placed {
  const constants = new Map<Constant, Place>();
  let end = 0;
  return {
    constants,
    outside(constant) {
      const length = byteLengthOf(constant.dtype, constant.shape);
      if (length < threshold || length === 0) return null;
      const known = constants.get(constant);
      if (known) return known;
      const place = { location, offset: Math.ceil(end / PAGE) * PAGE, length };
      constants.set(constant, place);
      end = place.offset + length;
      return place;
    },
  };
}

function* piecesOf(constants: ReadonlyMap<Constant, Place>): Generator<Uint8Array> {
  let end = 0;
  for (const [constant, { offset, length }] of constants) {
    yield new Uint8Array(offset - end);
    yield bytesOfElements(constant.data);
    end = offset + length;
  }
}

/** Names of the files in the folder of `path` that `saveOnnxFile` has written for it. */
async function dataFiles(path: string): Promise<string[]> {
  const stem = `${basename(path)}.`;
  const names = await readdir(dirname(path)).catch((error: unknown) => {
    throw readError(error, dirname(path));
  });
  return names.filter((name) => name.startsWith(stem) && /^(\d+\.)?data$/.test(name.slice(stem.length)));
}

function freeName(path: string, taken: readonly string[]): string {
  let name = `${basename(path)}.data`;
  for (let i = 1; taken.includes(name); i++) name = `${basename(path)}.${i}.data`;
  return name;
}
