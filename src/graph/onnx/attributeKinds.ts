import type { AttributeKind } from "../graph.ts";
import { type AttributeProto, AttributeProto_AttributeType as Kind } from "../proto/onnx_pb.ts";

const codes: Readonly<Record<AttributeKind, Kind>> = {
  int: Kind.INT,
  float: Kind.FLOAT,
  string: Kind.STRING,
  ints: Kind.INTS,
  floats: Kind.FLOATS,
  strings: Kind.STRINGS,
  tensor: Kind.TENSOR,
  tensors: Kind.TENSORS,
  sparse: Kind.SPARSE_TENSOR,
  sparses: Kind.SPARSE_TENSORS,
  graph: Kind.GRAPH,
  graphs: Kind.GRAPHS,
  type: Kind.TYPE_PROTO,
  types: Kind.TYPE_PROTOS,
};

/** The kind in files. */
export function codeOfKind(kind: AttributeKind): Kind {
  return codes[kind];
}

/** The kind of an attribute, in the oldest files by what is there; undefined for none that is known. */
export function kindOf(proto: AttributeProto): AttributeKind | undefined {
  const kinds = Object.keys(codes) as AttributeKind[];
  if (proto.type !== Kind.UNDEFINED) return kinds.find((kind) => codes[kind] === proto.type);
  return kinds.find((kind) => isThere[kind]?.(proto));
}

const isThere: Readonly<Partial<Record<AttributeKind, (proto: AttributeProto) => boolean>>> = {
  tensor: ({ t }) => t !== undefined,
  tensors: ({ tensors }) => tensors.length > 0,
  graph: ({ g }) => g !== undefined,
  graphs: ({ graphs }) => graphs.length > 0,
  int: (proto) => Object.hasOwn(proto, "i"),
  float: (proto) => Object.hasOwn(proto, "f"),
  string: (proto) => Object.hasOwn(proto, "s"),
  ints: ({ ints }) => ints.length > 0,
  floats: ({ floats }) => floats.length > 0,
  strings: ({ strings }) => strings.length > 0,
};
