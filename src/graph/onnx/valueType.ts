import { clearField, clone, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { onnxCodeOf } from "../dataTypes.ts";
import type { Dim, NamedType, OtherType, Rest } from "../graph.ts";
import {
  type TensorShapeProto,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  type TypeProto,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../proto/onnx_pb.ts";
import type { Reading } from "./reading.ts";
import { restOf, withRest } from "./rest.ts";
import { readDims, readDtype } from "./tensor.ts";

// --- Reading.

/** The type of a value. Throws FileError for an element type that is not known, or a negative size. */
export function readType(info: ValueInfoProto, reading: Reading): NamedType {
  const { name, type } = info;
  const tensor = type?.value.case === "tensorType" ? type.value.value : null;
  if (tensor?.shape && tensor.elemType !== 0) {
    const dtype = readDtype(tensor.elemType, name, reading);
    return { name, dtype, ...dimsOf(tensor.shape, name, reading), ...restOfTensor(info, tensor.shape) };
  }
  const dtype = tensor?.elemType ? readDtype(tensor.elemType, name, reading) : "float32";
  return {
    name,
    dtype,
    shape: [],
    other: otherOf(type),
    ...restOf(ValueInfoProtoSchema, info, ["name", "type"]),
  };
}

/** Sizes, with names made up for those that have neither size nor name. */
function dimsOf(
  { dim }: TensorShapeProto,
  name: string,
  reading: Reading,
): Pick<NamedType, "shape" | "unnamed"> {
  const unnamed: number[] = [];
  const shape = dim.map(({ value }, i): Dim => {
    if (value.case === "dimValue") return readDims([value.value], name, reading)[0];
    if (value.value) return value.value;
    unnamed.push(i);
    return `${name}_${i}`;
  });
  return unnamed.length > 0 ? { shape, unnamed } : { shape };
}

const kinds: Readonly<Record<NonNullable<TypeProto["value"]["case"]>, OtherType["kind"]>> = {
  tensorType: "tensor without a shape",
  sparseTensorType: "sparse tensor",
  sequenceType: "sequence",
  mapType: "map",
  optionalType: "optional",
  opaqueType: "opaque",
};

function otherOf(type: TypeProto | undefined): OtherType {
  const { value } = type ?? { value: { case: undefined } };
  const untyped = !value.case || (value.case === "tensorType" && value.value.elemType === 0);
  return {
    kind: untyped ? "untyped" : kinds[value.case],
    encoded: type ? toBinary(TypeProtoSchema, type) : new Uint8Array(0),
  };
}

/** What a tensor's type says besides sizes: with the meanings of its axes, if it has any, as a type without sizes. */
function restOfTensor(info: ValueInfoProto, { dim }: TensorShapeProto): { rest?: Rest } {
  const meanings = info.type!.denotation !== "" || dim.some(({ denotation }) => denotation !== "");
  if (!meanings) return restOf(ValueInfoProtoSchema, info, ["name", "type"]);
  const husk = clone(ValueInfoProtoSchema, info);
  const { shape } = husk.type!.value.value as { shape: TensorShapeProto };
  for (const one of shape.dim) one.value = { case: undefined };
  clearField(husk, ValueInfoProtoSchema.field.name);
  return { rest: toBinary(ValueInfoProtoSchema, husk) };
}

// --- Writing.

export function valueProto({ name, dtype, shape, unnamed, other, rest }: NamedType): ValueInfoProto {
  const info = withRest(ValueInfoProtoSchema, rest);
  info.name = name;
  if (other) {
    if (other.encoded.length > 0) info.type = fromBinary(TypeProtoSchema, other.encoded);
    return info;
  }
  const type = info.type ?? create(TypeProtoSchema);
  const meanings = type.value.case === "tensorType" ? (type.value.value.shape?.dim ?? []) : [];
  const dim = shape.map((size, i) =>
    create(TensorShapeProto_DimensionSchema, {
      value: dimOf(size, unnamed?.includes(i) === true && size === `${name}_${i}`),
      ...(meanings[i]?.denotation && { denotation: meanings[i].denotation }),
    }),
  );
  const tensor = { elemType: onnxCodeOf(dtype), shape: create(TensorShapeProtoSchema, { dim }) };
  type.value = { case: "tensorType", value: create(TypeProto_TensorSchema, tensor) };
  info.type = type;
  return info;
}

function dimOf(size: Dim, unnamed: boolean) {
  if (unnamed) return { case: undefined } as const;
  return typeof size === "number"
    ? ({ case: "dimValue", value: BigInt(size) } as const)
    : ({ case: "dimParam", value: size } as const);
}
