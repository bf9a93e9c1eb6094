import type { ConstantArray, DataType } from "./graph.ts";
import type { TensorProto } from "./proto/onnx_pb.ts";

/** The elements, copied; null when the bytes are no whole number of them. */
export function elementsOf(proto: TensorProto, dtype: DataType): ConstantArray | null {
  const storage = storages[dtype];
  if (!storage) return null;
  const { width, ofBytes, ofList } = storage;
  const raw = proto.rawData;
  if (!raw || raw.length === 0) return ofList(proto);
  return raw.length % width === 0 ? ofBytes(new Uint8Array(raw).buffer) : null;
}

/** How the elements of a type are stored: as bytes, `width` each, or in one of the message's lists. */
interface Storage {
  readonly width: number;
  ofBytes(bytes: ArrayBuffer): ConstantArray;
  ofList(proto: TensorProto): ConstantArray;
}

const bits16: Storage = {
  width: 2,
  ofBytes: (bytes) => new Uint16Array(bytes),
  ofList: (proto) => Uint16Array.from(proto.int32Data),
};
const bits8: Storage = {
  width: 1,
  ofBytes: (bytes) => new Uint8Array(bytes),
  ofList: (proto) => Uint8Array.from(proto.int32Data),
};
const storages: Readonly<Partial<Record<DataType, Storage>>> = {
  float32: {
    width: 4,
    ofBytes: (bytes) => new Float32Array(bytes),
    ofList: (proto) => Float32Array.from(proto.floatData),
  },
  float64: {
    width: 8,
    ofBytes: (bytes) => new Float64Array(bytes),
    ofList: (proto) => Float64Array.from(proto.doubleData),
  },
  int64: {
    width: 8,
    ofBytes: (bytes) => new BigInt64Array(bytes),
    ofList: (proto) => BigInt64Array.from(proto.int64Data),
  },
  uint64: {
    width: 8,
    ofBytes: (bytes) => new BigUint64Array(bytes),
    ofList: (proto) => BigUint64Array.from(proto.uint64Data),
  },
  int32: {
    width: 4,
    ofBytes: (bytes) => new Int32Array(bytes),
    ofList: (proto) => Int32Array.from(proto.int32Data),
  },
  uint32: {
    width: 4,
    ofBytes: (bytes) => new Uint32Array(bytes),
    ofList: (proto) => Uint32Array.from(proto.uint64Data, Number),
  },
  int16: {
    width: 2,
    ofBytes: (bytes) => new Int16Array(bytes),
    ofList: (proto) => Int16Array.from(proto.int32Data),
  },
  int8: {
    width: 1,
    ofBytes: (bytes) => new Int8Array(bytes),
    ofList: (proto) => Int8Array.from(proto.int32Data),
  },
  uint16: bits16,
  float16: bits16,
  bfloat16: bits16,
  uint8: bits8,
  bool: bits8,
};
