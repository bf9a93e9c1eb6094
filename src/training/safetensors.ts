import { FileError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import { decodeFloat16, encodeFloat16 } from "../base/float16.ts";

/** Bytes of one element of each element type of the format. */
const elementBytes = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type Dtype = keyof typeof elementBytes;

export interface SafetensorsEntry {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Row-major, little-endian; perhaps a view into the file's bytes. */
  readonly bytes: Uint8Array;
}

/** The content of a safetensors file: named arrays and strings about them. */
export interface Safetensors {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

const headerLimit = 100_000_000; // bytes, as in the format's description

/**
 * The arrays and metadata in the bytes of a safetensors file; arrays are views, nothing is copied.
 *
 * The file is: the header's length (64 bits, little-endian), the header (JSON: name -> dtype, shape, data_offsets; and
 * __metadata__), the data. Strict: the arrays must cover the data exactly, without gaps or overlaps.
 *
 * `file` names it in errors. Throws FileError when anything is not as the format says.
 */
export function decodeSafetensors(bytes: Uint8Array, file: string): Safetensors {
  const wrong = (what: string): FileError =>
    new FileError(`${file} is not a valid safetensors file: ${what}`);
  const { header, data } = split(bytes, wrong);
  const metadata: Record<string, string> = {};
  const spans: { name: string; begin: number; end: number; entry: SafetensorsEntry }[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") Object.assign(metadata, metadataOf(value, wrong));
    else spans.push({ name, ...spanOf(name, value, data, wrong) });
  }

  let covered = 0;
  for (const { name, begin, end } of [...spans].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < covered) throw wrong(`"${name}" overlaps another array`);
    if (begin > covered) throw wrong(`${begin - covered} bytes before "${name}" belong to no array`);
    covered = end;
  }
  if (covered < data.length) throw wrong(`${data.length - covered} bytes at its end belong to no array`);
  return { entries: new Map(spans.map(({ name, entry }) => [name, entry])), metadata };
}

/**
 * The bytes of a safetensors file, in pieces to be written one after another (header, then each array, not copied).
 *
 * The header is padded so that the data starts at a multiple of 8; wide element types come first, so that every array
 * is aligned to its elements.
 */
export function encodeSafetensors({ entries, metadata }: Safetensors): Uint8Array[] {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  const ordered = [...entries].sort(([, a], [, b]) => elementBytes[b.dtype] - elementBytes[a.dtype]);
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of ordered) {
    if (bytes.length !== sizeOf(shape) * elementBytes[dtype] || name === "__metadata__") {
      throw new RangeError(
        `"${name}" cannot be stored as ${dtype} [${shape.join(", ")}] in ${bytes.length} bytes`,
      );
    }
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }

  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const start = new Uint8Array(8 + padded).fill(0x20, 8 + json.length);
  new DataView(start.buffer).setBigUint64(0, BigInt(padded), true);
  start.set(json, 8);
  return [start, ...ordered.map(([, { bytes }]) => bytes)];
}

/** An array of floats as an entry, stored as they are (F32) or rounded to 16 bits (F16). */
export function floatEntry(
  values: Float32Array,
  shape: readonly number[],
  dtype: "F32" | "F16" = "F32",
): SafetensorsEntry {
  const stored = dtype === "F16" ? encodeFloat16(values) : values;
  return { dtype, shape, bytes: new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength) };
}

/** The values of an entry of any float type, copied, as float32 (F64 is rounded). Throws FileError for other types. */
export function toFloat32(entry: SafetensorsEntry, name: string): Float32Array {
  const array = toTypedArray(entry);
  if (array instanceof Float32Array) return array;
  if (array instanceof Float64Array) return Float32Array.from(array);
  if (entry.dtype === "F16") return decodeFloat16(array as Uint16Array);
  if (entry.dtype === "BF16") {
    const bits = Uint32Array.from(array as Uint16Array, (half) => half * 65536);
    return new Float32Array(bits.buffer);
  }
  throw new FileError(`"${name}" holds ${entry.dtype} values where floats were wanted`);
}

export type TypedArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** The elements of an entry, copied, in the array type of their width; F16 and BF16 come as their bit patterns. */
export function toTypedArray({ dtype, bytes }: SafetensorsEntry): TypedArray {
  const { buffer } = new Uint8Array(bytes); // a copy, aligned
  switch (dtype) {
    case "F64":
      return new Float64Array(buffer);
    case "F32":
      return new Float32Array(buffer);
    case "I64":
      return new BigInt64Array(buffer);
    case "U64":
      return new BigUint64Array(buffer);
    case "I32":
      return new Int32Array(buffer);
    case "U32":
      return new Uint32Array(buffer);
    case "I16":
      return new Int16Array(buffer);
    case "F16":
    case "BF16":
    case "U16":
      return new Uint16Array(buffer);
    case "I8":
      return new Int8Array(buffer);
    case "U8":
    case "BOOL":
      return new Uint8Array(buffer);
    default:
      return dtype satisfies never;
  }
}

type Wrong = (what: string) => FileError;

function split(bytes: Uint8Array, wrong: Wrong): { header: Record<string, unknown>; data: Uint8Array } {
  if (bytes.length < 8) throw wrong(`it has ${bytes.length} bytes, too few for a header`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(headerLimit))
    throw wrong(`its header claims ${length} bytes, more than ${headerLimit}`);
  const end = 8 + Number(length);
  if (end > bytes.length)
    throw wrong(`it is truncated inside its header (${bytes.length} of at least ${end} bytes)`);

  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, end));
    header = JSON.parse(text);
  } catch {
    throw wrong("its header is not JSON");
  }
  if (!isObject(header)) throw wrong("its header is not a JSON object");
  const twice = repeatedKey(text);
  if (twice !== null) throw wrong(`the name "${twice}" stands in its header twice`);
  return { header, data: bytes.subarray(end) };
}

function spanOf(
  name: string,
  value: unknown,
  data: Uint8Array,
  wrong: Wrong,
): { begin: number; end: number; entry: SafetensorsEntry } {
  if (!isObject(value)) throw wrong(`"${name}" is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(elementBytes, dtype)) {
    throw wrong(
      `"${name}" has the element type ${JSON.stringify(dtype)}, known are ${Object.keys(elementBytes).join(", ")}`,
    );
  }
  if (!isCounts(shape)) throw wrong(`"${name}" has no shape of whole numbers`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw wrong(`"${name}" has no pair of data offsets in order`);
  }
  const [begin, end] = offsets;
  if (end > data.length) {
    throw wrong(
      `"${name}" ends at byte ${end} of the data, which has ${data.length}: truncated, or a wrong offset`,
    );
  }
  const want = sizeOf(shape) * elementBytes[dtype as Dtype];
  if (end - begin !== want) {
    throw wrong(
      `"${name}" is ${dtype} [${shape.join(", ")}], ${want} bytes, but its offsets span ${end - begin}`,
    );
  }
  return { begin, end, entry: { dtype: dtype as Dtype, shape, bytes: data.subarray(begin, end) } };
}

function metadataOf(value: unknown, wrong: Wrong): Record<string, string> {
  if (!isObject(value) || Object.values(value).some((text) => typeof text !== "string")) {
    throw wrong("its __metadata__ does not map names to strings");
  }
  return value as Record<string, string>;
}

/** The first name that stands twice in the outermost object of a valid JSON text, or null. */
function repeatedKey(json: string): string | null {
  const seen = new Set<string>();
  let depth = 0;
  for (const [token, colon] of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gs)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && colon !== undefined) {
      const key = JSON.parse(token.slice(0, -colon.length)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
}
