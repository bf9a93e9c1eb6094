import { sizeOf } from "../base/tensor.ts";
import type { DataType } from "./graph.ts";

/** The numbers that stand for element types in ONNX files and in Cast's attribute `to`. */
const codes: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e4m3fnuz: 18,
  float8e5m2: 19,
  float8e5m2fnuz: 20,
  uint4: 21,
  int4: 22,
  float4e2m1: 23,
  float8e8m0: 24,
  uint2: 25,
  int2: 26,
  float6e2m3: 27,
  float6e3m2: 28,
};
const byCode = new Map(Object.entries(codes).map(([dtype, code]) => [code, dtype as DataType]));

export function onnxCodeOf(dtype: DataType): number {
  return codes[dtype];
}

/** The element type of an ONNX number; undefined for one that has no name here. */
export function dataTypeOf(code: number): DataType | undefined {
  return byCode.get(code);
}

/** Bytes that a tensor takes in a file, small elements packed; 0 for text. */
export function byteLengthOf(dtype: DataType, shape: readonly number[]): number {
  return Math.ceil((sizeOf(shape) * bitsOf(dtype)) / 8);
}

export function isFloat(dtype: DataType): boolean {
  return dtype === "float32" || dtype === "float64" || dtype === "float16" || dtype === "bfloat16";
}

/** Bits that one element takes in a file; 0 for text, whose length differs. */
export function bitsOf(dtype: DataType): number {
  if (dtype === "string") return 0;
  if (dtype === "bool" || dtype.startsWith("float8")) return 8;
  if (dtype === "bfloat16") return 16;
  return Number(/\d+/.exec(dtype)![0]);
}
