/**
 * The IDX format of MNIST: bytes 0, 0, type (8 = unsigned byte), number of dimensions; each dimension as a big-endian
 * 32-bit integer; then the values in row-major order. Files may be gzipped. Nothing but a perfect file is accepted.
 */
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { constants, gunzip, gunzipSync, gzipSync } from "node:zlib";
import { FileError } from "../base/errors.ts";

/** Values of unsigned bytes with their dimensions: [count, height, width] for images, [count] for labels. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Deflate never shrinks by more than this factor (RFC 1951: 258 bytes in 2 bits, and a little). */
const MAX_DEFLATE_RATIO = 1032;

/**
 * The array in the IDX file at `path` (plain or gzip), which must have `rank` dimensions.
 *
 * Throws FileError if the file cannot be read or is not exactly one such array: wrong magic number, damaged, shorter or
 * longer than its header says. A header that claims more than the file can hold is refused before anything is allocated.
 */
export async function readIdx(path: string, rank: number): Promise<IdxArray> {
  let file: Uint8Array;
  try {
    file = await readFile(path);
  } catch (error) {
    throw new FileError(
      `${path} cannot be read (${reason(error)}); check that the file exists and may be opened`,
    );
  }
  return parseIdx(file, rank, path);
}

/** The array in the bytes of an IDX file; `name` stands for the file in errors. See readIdx. */
export async function parseIdx(file: Uint8Array, rank: number, name: string): Promise<IdxArray> {
  const zipped = isGzip(file);
  const shape = parseHeader(zipped ? gzipHead(file, name) : file, rank, name);
  const size = 4 + 4 * rank + shape.reduce((a, b) => a * b, 1);
  const claim = `its header [${shape.join(", ")}] asks for ${size} bytes`;

  // What the header claims must fit into the file before it is believed.
  const most = zipped ? MAX_DEFLATE_RATIO * file.length : file.length;
  if (size > most) throw broken(name, `${claim}, but the file can hold at most ${most}`);

  const bytes = zipped ? await unzip(file, size, name, claim) : file;
  if (bytes.length !== size) throw broken(name, `${claim}, but it holds ${bytes.length}`);
  return { shape, data: bytes.subarray(4 + 4 * rank) };
}

/** The bytes of an IDX file, gzipped. */
export function encodeIdx({ shape, data }: IdxArray): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0800 + shape.length);
  shape.forEach((size, axis) => view.setUint32(4 + 4 * axis, size));
  bytes.set(data, 4 + 4 * shape.length);
  return gzipSync(bytes, { level: 9 });
}

/** The content of a file, unpacked if it is gzip. Throws FileError if it is a damaged gzip. */
export async function content(file: Uint8Array, name: string): Promise<Uint8Array> {
  if (!isGzip(file)) return file;
  try {
    return await promisify(gunzip)(file);
  } catch (error) {
    throw broken(name, `its gzip stream is damaged or cut off (${reason(error)})`);
  }
}

function isGzip(file: Uint8Array): boolean {
  return file[0] === 0x1f && file[1] === 0x8b;
}

function parseHeader(head: Uint8Array, rank: number, name: string): number[] {
  const want = hex(0x0800 + rank);
  if (head.length < 4 + 4 * rank) {
    throw broken(name, `wanted an IDX header of ${4 + 4 * rank} bytes, got ${head.length}`);
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const magic = view.getUint32(0);
  if (magic !== 0x0800 + rank) {
    throw broken(
      name,
      `wanted the IDX magic number ${want} (unsigned bytes, ${dimensions(rank)}), got ${hex(magic)}`,
    );
  }
  return Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
}

/** The first bytes of a gzip file's content, without unpacking the rest. */
function gzipHead(file: Uint8Array, name: string): Uint8Array {
  try {
    return gunzipSync(file.subarray(0, 1024), { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw broken(name, `its gzip stream is damaged (${reason(error)})`);
  }
}

async function unzip(file: Uint8Array, size: number, name: string, claim: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await promisify(gunzip)(file, { maxOutputLength: size });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw broken(name, `${claim}, but it holds more`);
    }
    throw broken(name, `its gzip stream is damaged or cut off (${reason(error)})`);
  }
  // A gzip file ends with its content's length; zeros behind that would be passed over silently.
  const end = new DataView(file.buffer, file.byteOffset, file.byteLength).getUint32(file.length - 4, true);
  if (end !== bytes.length % 2 ** 32) throw broken(name, "there are bytes behind the end of its gzip stream");
  return bytes;
}

function broken(name: string, what: string): FileError {
  return new FileError(`${name} is not a valid IDX file: ${what}; replace it with a fresh copy`);
}

function dimensions(rank: number): string {
  return rank === 1 ? "1 dimension" : `${rank} dimensions`;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
