import type { ConstantArray, DataType } from "../graph.ts";
import { pack } from "../packing.ts";
import type { TensorProto } from "../proto/onnx_pb.ts";

/** The elements in bytes as files hold them (little-endian, small ones packed), not copied; null for text. */
export function elementsOfBytes(bytes: ArrayBuffer, dtype: DataType): ConstantArray | null {
  return storages[dtype]?.ofBytes(bytes) ?? null;
}

/** The elements in the list of the message that is meant for their type; null for text. */
export function elementsOfList(proto: TensorProto, dtype: DataType): ConstantArray | null {
  return storages[dtype]?.ofList(proto) ?? null;
}

/** The elements as bytes, not copied. */
export function bytesOfElements({ buffer, byteOffset, byteLength }: ConstantArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** How the elements of a type are stored: as bytes, or in one of the message's lists. */
interface Storage {
  ofBytes(bytes: ArrayBuffer): ConstantArray;
  ofList(proto: TensorProto): ConstantArray;
}

const float32: Storage = {
  ofBytes: (bytes) => new Float32Array(bytes),
  ofList: (proto) => Float32Array.from(proto.floatData),
};
const float64: Storage = {
  ofBytes: (bytes) => new Float64Array(bytes),
  ofList: (proto) => Float64Array.from(proto.doubleData),
};
const bits16: Storage = {
  ofBytes: (bytes) => new Uint16Array(bytes),
  ofList: (proto) => Uint16Array.from(proto.int32Data),
};
const bits8: Storage = {
  ofBytes: (bytes) => new Uint8Array(bytes),
  ofList: (proto) => Uint8Array.from(proto.int32Data),
};
/** One element a number in the list, four elements in three bytes. */
const bits6: Storage = { ofBytes: bits8.ofBytes, ofList: (proto) => pack(proto.int32Data, 6) };

const storages: Readonly<Partial<Record<DataType, Storage>>> = {
  float32,
  float64,
  complex64: float32,
  complex128: float64,
  int64: {
    ofBytes: (bytes) => new BigInt64Array(bytes),
    ofList: (proto) => BigInt64Array.from(proto.int64Data),
  },
  uint64: {
    ofBytes: (bytes) => new BigUint64Array(bytes),
    ofList: (proto) => BigUint64Array.from(proto.uint64Data),
  },
  int32: {
    ofBytes: (bytes) => new Int32Array(bytes),
    ofList: (proto) => Int32Array.from(proto.int32Data),
  },
  uint32: {
    ofBytes: (bytes) => new Uint32Array(bytes),
    ofList: (proto) => Uint32Array.from(proto.uint64Data, Number),
  },
  int16: {
    ofBytes: (bytes) => new Int16Array(bytes),
    ofList: (proto) => Int16Array.from(proto.int32Data),
  },
  int8: {
    ofBytes: (bytes) => new Int8Array(bytes),
    ofList: (proto) => Int8Array.from(proto.int32Data),
  },
  uint16: bits16,
  float16: bits16,
  bfloat16: bits16,
  uint8: bits8,
  bool: bits8,
  float8e4m3fn: bits8,
  float8e4m3fnuz: bits8,
  float8e5m2: bits8,
  float8e5m2fnuz: bits8,
  float8e8m0: bits8,
  float6e2m3: bits6,
  float6e3m2: bits6,
  uint4: bits8,
  int4: bits8,
  float4e2m1: bits8,
  uint2: bits8,
  int2: bits8,
};
