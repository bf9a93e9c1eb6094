import { create } from "@bufbuild/protobuf";
import { sizeOf } from "../../base/tensor.ts";
import { byteLengthOf, dataTypeOf, onnxCodeOf } from "../dataTypes.ts";
import type { Constant, DataType, SparseConstant } from "../graph.ts";
import { lazyConstant } from "../lazyConstant.ts";
import {
  type SparseTensorProto,
  SparseTensorProtoSchema,
  type TensorProto,
  TensorProto_DataLocation as Location,
  TensorProtoSchema,
} from "../proto/onnx_pb.ts";
import { sameShape } from "../shapes.ts";
import { bytesOfElements, elementsOfBytes, elementsOfList } from "./elements.ts";
import { type Place, entriesOf, placeOf } from "./place.ts";
import type { Reading } from "./reading.ts";
import { restOf, withRest } from "./rest.ts";

/** Fields that are read; a name only where the caller reads it. */
const KNOWN = [
  "dims",
  "dataType",
  "floatData",
  "int32Data",
  "stringData",
  "int64Data",
  "rawData",
  "doubleData",
  "uint64Data",
  "externalData",
  "dataLocation",
];

// --- Reading.

/** A tensor that is known by its name, which is kept apart. */
export function readNamedTensor(proto: TensorProto, reading: Reading): Constant {
  return constantOf(proto, reading, [...KNOWN, "name"]);
}

/** A tensor inside an attribute, which may have a name too. */
export function readTensor(proto: TensorProto, reading: Reading): Constant {
  return constantOf(proto, reading, KNOWN);
}

/** A sparse initializer, which is known by the name of its values. */
export function readNamedSparse(proto: SparseTensorProto, reading: Reading): SparseConstant {
  return sparseOf(proto, reading, readNamedTensor);
}

/** A sparse tensor inside an attribute. */
export function readSparse(proto: SparseTensorProto, reading: Reading): SparseConstant {
  return sparseOf(proto, reading, readTensor);
}

function sparseOf(
  { values, indices, dims }: SparseTensorProto,
  reading: Reading,
  readValues: typeof readTensor,
): SparseConstant {
  const name = values?.name ?? "";
  if (!values || !indices)
    throw reading.wrong(`is damaged: the sparse tensor "${name}" lacks values or indices`);
  const shape = readDims(dims, name, reading);
  const sparse = { values: readValues(values, reading), indices: readTensor(indices, reading), shape };
  const [count, rank, ...more] = sparse.indices.shape;
  const fits =
    sparse.indices.dtype === "int64" &&
    sameShape(sparse.values.shape, [count]) &&
    more.length === 0 &&
    (rank === undefined || rank === shape.length);
  if (!fits) throw reading.wrong(`is damaged: values and indices of the sparse tensor "${name}" do not fit`);
  return sparse;
}

/** Sizes of a tensor as numbers. Throws FileError for negative ones. */
export function readDims(dims: readonly bigint[], name: string, reading: Reading): number[] {
  const shape = dims.map(Number);
  if (!shape.every((dim) => dim >= 0 && Number.isSafeInteger(dim)))
    throw reading.wrong(`is damaged: "${name}" has a size that is none, [${shape.join(", ")}]`);
  return shape;
}

/** Throws FileError for a number that stands for no element type. */
export function readDtype(code: number, name: string, reading: Reading): DataType {
  const dtype = dataTypeOf(code);
  if (!dtype) throw reading.wrong(`has a "${name}" of element type ${code}, which is none that is known`);
  return dtype;
}

function constantOf(proto: TensorProto, reading: Reading, known: readonly string[]): Constant {
  const { name } = proto;
  const dtype = readDtype(proto.dataType, name, reading);
  const shape = readDims(proto.dims, name, reading);
  const { rest } = restOf(TensorProtoSchema, proto, known);
  if (proto.dataLocation === Location.EXTERNAL || proto.externalData.length > 0) {
    const { read } = placeOf(proto, byteLengthOf(dtype, shape), reading);
    return lazyConstant({ dtype, shape }, () => elementsOfBytes(read(), dtype)!, rest);
  }
  const held = dtype === "string" ? textOf(proto, shape) : elementsOf(proto, dtype, shape);
  if (!held) {
    throw reading.wrong(
      `is damaged: "${name}" of shape [${shape.join(", ")}] does not hold ${sizeOf(shape)} values`,
    );
  }
  return { dtype, shape, ...held, ...(rest && { rest }) };
}

type Held = Pick<Constant, "data" | "text">;

function textOf({ stringData }: TensorProto, shape: readonly number[]): Held | null {
  if (stringData.length !== sizeOf(shape)) return null;
  return { data: new Uint8Array(0), text: stringData.map((bytes) => bytes.slice()) };
}

/** The elements; null when there are more or fewer than the shape says. */
function elementsOf(proto: TensorProto, dtype: DataType, shape: readonly number[]): Held | null {
  const length = byteLengthOf(dtype, shape);
  const { rawData } = proto;
  if (rawData.length > 0) {
    return rawData.length === length ? { data: elementsOfBytes(rawData.slice().buffer, dtype)! } : null;
  }
  const data = elementsOfList(proto, dtype)!;
  return data.byteLength === length ? { data } : null;
}

// --- Writing.

/** Where the bytes of a constant are written instead of into the model; null for into the model. */
export type Outside = (constant: Constant, name: string) => Place | null;

export function tensorProto(constant: Constant, name: string | null, outside: Outside): TensorProto {
  const { dtype, shape, text, rest } = constant;
  const proto = withRest(TensorProtoSchema, rest);
  if (name !== null) proto.name = name;
  proto.dataType = onnxCodeOf(dtype);
  proto.dims = shape.map(BigInt);
  const place = text ? null : outside(constant, proto.name);
  if (place) {
    proto.dataLocation = Location.EXTERNAL;
    proto.externalData = entriesOf(place);
  } else if (text) proto.stringData = [...text];
  else proto.rawData = bytesOfElements(constant.data);
  return proto;
}

export function sparseProto(
  { values, indices, shape }: SparseConstant,
  name: string | null,
  outside: Outside,
): SparseTensorProto {
  return create(SparseTensorProtoSchema, {
    values: tensorProto(values, name, outside),
    indices: tensorProto(indices, null, outside),
    dims: shape.map(BigInt),
  });
}
