import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FileError } from "../base/errors.ts";
import {
  type Safetensors,
  type SafetensorsEntry,
  decodeSafetensors,
  encodeSafetensors,
  floatEntry,
  toFloat32,
  toTypedArray,
} from "./safetensors.ts";

const join = (pieces: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(pieces));

/** A file with this header (an object, or text as it is) and so many bytes of data. */
function file(header: object | string, dataBytes: number): Uint8Array {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return join([length, json, new Uint8Array(dataBytes)]);
}

const f32 = (begin: number, end: number) => ({
  dtype: "F32",
  shape: [(end - begin) / 4],
  data_offsets: [begin, end],
});

test("what is encoded decodes to the same arrays and metadata", () => {
  const raw = (
    dtype: SafetensorsEntry["dtype"],
    shape: number[],
    array: ArrayBufferView,
  ): SafetensorsEntry => ({
    dtype,
    shape,
    bytes: new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
  });
  const entries = new Map<string, SafetensorsEntry>([
    ["bytes", raw("U8", [3], Uint8Array.of(1, 2, 255))],
    ["flags", raw("BOOL", [1], Uint8Array.of(1))],
    ["half", floatEntry(Float32Array.of(0.5, -2), [2, 1], "F16")],
    ["single", floatEntry(Float32Array.of(0.1, 0.2, 0.3), [3, 1])],
    ["scalar", raw("F64", [], Float64Array.of(Math.PI))],
    ["long", raw("I64", [2], BigInt64Array.of(-1n, 2n ** 62n))],
    ["empty", floatEntry(new Float32Array(0), [0, 4])],
  ]);
  const content: Safetensors = { entries, metadata: { 'a "quoted" key': "ünïcode" } };
  const back = decodeSafetensors(join(encodeSafetensors(content)), "x");
  expect(back.metadata).toEqual(content.metadata);
  expect([...back.entries.keys()].sort()).toEqual([...entries.keys()].sort());
  for (const [name, { dtype, shape, bytes }] of entries) {
    expect(back.entries.get(name)).toMatchObject({ dtype, shape });
    expect([...back.entries.get(name)!.bytes], name).toEqual([...bytes]);
  }
  expect(toTypedArray(back.entries.get("long")!)).toEqual(BigInt64Array.of(-1n, 2n ** 62n));
  expect(toTypedArray(back.entries.get("scalar")!)).toEqual(Float64Array.of(Math.PI));
});

test("the data starts at a multiple of 8 and every array at a multiple of its element's width", () => {
  const entries = new Map([
    ["a", { dtype: "U8", shape: [3], bytes: new Uint8Array(3) }],
    ["b", floatEntry(Float32Array.of(1), [1], "F16")],
    ["c", { dtype: "F64", shape: [1], bytes: new Uint8Array(8) }],
    ["d", floatEntry(Float32Array.of(1), [1])],
  ] as [string, SafetensorsEntry][]);
  const bytes = join(encodeSafetensors({ entries, metadata: {} }));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(Buffer.from(bytes.subarray(8, 8 + length)).toString()) as Record<
    string,
    { data_offsets: number[] }
  >;
  expect((8 + length) % 8).toBe(0);
  const starts = Object.fromEntries(
    Object.entries(header).map(([name, { data_offsets }]) => [name, data_offsets[0]]),
  );
  expect(starts).toEqual({ c: 0, d: 8, b: 12, a: 14 });
});

test("files of the reference implementation are read, and written with the same content", () => {
  const path = new URL("../../tests/fixtures/training/mlp/initial.safetensors", import.meta.url);
  const read = decodeSafetensors(readFileSync(path), "initial");
  expect(read.entries.get("l0.weight")!.shape).toEqual([32, 6]);
  const again = decodeSafetensors(join(encodeSafetensors(read)), "again");
  for (const [name, entry] of read.entries) {
    expect(toFloat32(again.entries.get(name)!, name)).toEqual(toFloat32(entry, name));
  }
});

test("all float types are read as float32, other types are refused", () => {
  const bf16 = { dtype: "BF16", shape: [2], bytes: Uint8Array.of(0x80, 0x3f, 0x49, 0xc0) } as const; // 1, -3.140625
  expect([...toFloat32(bf16, "x")]).toEqual([1, -3.140625]);
  expect([...toFloat32(floatEntry(Float32Array.of(0.25), [1], "F16"), "x")]).toEqual([0.25]);
  const f64 = { dtype: "F64", shape: [1], bytes: new Uint8Array(Float64Array.of(0.1).buffer) } as const;
  expect([...toFloat32(f64, "x")]).toEqual([Math.fround(0.1)]);
  expect(() => toFloat32({ dtype: "U8", shape: [1], bytes: Uint8Array.of(1) }, "x")).toThrow(/"x" holds U8/);
});

test("an array in the middle of unaligned bytes is read", () => {
  const bytes = file({ a: { dtype: "U8", shape: [1], data_offsets: [0, 1] }, b: f32(1, 9) }, 9);
  bytes.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), bytes.length - 8);
  expect([...toFloat32(decodeSafetensors(bytes, "x").entries.get("b")!, "b")]).toEqual([1.5, -2]);
});

const wide = Buffer.alloc(16);
wide.writeBigUInt64LE(2n ** 62n);

test.each<[string, Uint8Array, RegExp]>([
  ["an empty file", new Uint8Array(0), /0 bytes, too few/],
  [
    "a header that claims more than is sensible",
    new Uint8Array(wide),
    /header claims 4611686018427387904 bytes/,
  ],
  ["a file cut inside its header", file({ a: f32(0, 8) }, 0).subarray(0, 20), /truncated inside its header/],
  ["a file cut inside its data", file({ a: f32(0, 8) }, 7), /"a" ends at byte 8 of the data, which has 7/],
  ["a header that is not JSON", file("{oops", 0), /header is not JSON/],
  [
    "a header that is not UTF-8",
    join([file("", 0).fill(2, 0, 1), Uint8Array.of(0xff, 0xfe)]),
    /header is not JSON/,
  ],
  ["a header that is a list", file("[]", 0), /not a JSON object/],
  ["bytes after the last array", file({ a: f32(0, 8) }, 12), /4 bytes at its end belong to no array/],
  [
    "a gap between arrays",
    file({ a: f32(0, 8), b: f32(12, 16) }, 16),
    /4 bytes before "b" belong to no array/,
  ],
  ["arrays that overlap", file({ a: f32(0, 8), b: f32(4, 12) }, 12), /"b" overlaps/],
  [
    "the same name twice",
    file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061" : 0}', 1),
    /"a" stands in its header twice/,
  ],
  [
    "a size that is not shape times width",
    file({ a: { ...f32(0, 8), shape: [3] } }, 8),
    /12 bytes, but its offsets span 8/,
  ],
  ["offsets out of order", file({ a: { ...f32(0, 8), data_offsets: [8, 0] } }, 8), /no pair of data offsets/],
  ["negative offsets", file({ a: { ...f32(0, 8), data_offsets: [-8, 0] } }, 8), /no pair of data offsets/],
  [
    "a shape that is not whole",
    file({ a: { ...f32(0, 8), shape: [0.5, 4] } }, 8),
    /no shape of whole numbers/,
  ],
  [
    "an unknown element type",
    file({ a: { ...f32(0, 8), dtype: "F3" } }, 8),
    /element type "F3", known are F64/,
  ],
  [
    "a type named like a method",
    file({ a: { ...f32(0, 8), dtype: "toString" } }, 8),
    /element type "toString"/,
  ],
  ["an array that is not described", file({ a: 1 }, 0), /"a" is not described/],
  ["metadata that are not strings", file({ __metadata__: { a: 1 } }, 0), /does not map names to strings/],
])("%s is refused in one sentence", (_, bytes, message) => {
  const decode = () => decodeSafetensors(bytes, "model.safetensors");
  expect(decode).toThrow(FileError);
  expect(decode).toThrow(message);
  expect(decode).toThrow(/^model\.safetensors is not a valid safetensors file: [^\n]*$/);
});

test("names repeated in deeper objects are no repetition", () => {
  const bytes = file({ __metadata__: { a: '{"a":1}', shape: "x" }, a: f32(0, 4), shape: f32(4, 8) }, 8);
  expect([...decodeSafetensors(bytes, "x").entries.keys()]).toEqual(["a", "shape"]);
});
