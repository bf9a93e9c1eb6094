import { readFileSync } from "node:fs";

export interface NpyArray {
  readonly data: Float32Array | Uint8Array;
  readonly shape: readonly number[];
}

/** A .npy file of little-endian float32 or uint8 in C order, as numpy.save writes it. */
export function readNpy(path: string): NpyArray {
  const bytes = readFileSync(path);
  if (bytes.toString("latin1", 1, 6) !== "NUMPY" || bytes[6] !== 1)
    throw new Error(`${path} is no .npy, version 1`);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString("latin1", 10, start);
  const shape = [...(/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "").matchAll(/\d+/g)].map(Number);
  const content = bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length);
  if (header.includes("'<f4'")) return { data: new Float32Array(content), shape };
  if (header.includes("'|u1'")) return { data: new Uint8Array(content), shape };
  throw new Error(`${path} holds neither <f4 nor |u1: ${header}`);
}
