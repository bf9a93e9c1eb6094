import { toBinary } from "@bufbuild/protobuf";
import type { Attribute, AttributeKind, Attributes, GraphFunction, Node, Subgraph } from "../graph.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type OperatorSetIdProto,
  type StringStringEntryProto,
  TypeProtoSchema,
  type ValueInfoProto,
} from "../proto/onnx_pb.ts";
import { kindOf } from "./attributeKinds.ts";
import { type Reading, inside } from "./reading.ts";
import { decode, isExact, isText } from "./exact.ts";
import { restOf } from "./rest.ts";
import { readNamedSparse, readNamedTensor, readSparse, readTensor } from "./tensor.ts";
import { readType } from "./valueType.ts";

/** A graph of a file, or a body inside one of its nodes. Throws FileError saying what is wrong. */
export function readGraph(proto: GraphProto, reading: Reading): Subgraph {
  const { name, docString: doc } = proto;
  const initializers = named(proto.initializer, (tensor) => tensor.name, readNamedTensor, reading);
  const sparse = named(proto.sparseInitializer, ({ values }) => values?.name ?? "", readNamedSparse, reading);
  const given = ({ name: input }: ValueInfoProto): boolean => initializers.has(input) || sparse.has(input);
  const overridable = proto.input.filter(given).map((info) => readType(info, reading));
  const types = readTypes(proto.valueInfo, reading);
  return {
    name,
    inputs: proto.input.filter((info) => !given(info)).map((info) => readType(info, reading)),
    outputs: proto.output.map((info) => readType(info, reading)),
    nodes: proto.node.map((node) => readNode(node, reading)),
    initializers,
    ...(sparse.size > 0 && { sparse }),
    ...(overridable.length > 0 && { overridable }),
    ...(types && { types }),
    ...(doc && { doc }),
    ...restOf(GraphProtoSchema, proto, KNOWN_GRAPH),
  };
}

const KNOWN_GRAPH = [
  "name",
  "node",
  "initializer",
  "sparseInitializer",
  "input",
  "output",
  "valueInfo",
  "docString",
];

/** Types of values in between; undefined for none. */
export function readTypes(infos: readonly ValueInfoProto[], reading: Reading): Subgraph["types"] {
  if (infos.length === 0) return undefined;
  return new Map(infos.map((info) => [info.name, readType(info, reading)]));
}

function named<P, T>(
  protos: readonly P[],
  nameOf: (proto: P) => string,
  read: (proto: P, reading: Reading) => T,
  reading: Reading,
): Map<string, T> {
  const map = new Map<string, T>();
  for (const proto of protos) {
    const name = nameOf(proto);
    if (map.has(name)) throw reading.wrong(`is damaged: it has two initializers "${name}"`);
    map.set(name, read(proto, reading));
  }
  return map;
}

// --- Nodes.

export function readNode(proto: NodeProto, reading: Reading): Node {
  const { opType: op, name, overload, input, output, docString: doc } = proto;
  const inNode = inside(reading, `a node "${name}" (${op})`);
  return {
    op,
    domain: standard(proto.domain),
    ...(overload && { overload }),
    name,
    inputs: input,
    outputs: output,
    attributes: readAttributes(proto.attribute, inNode),
    ...(proto.metadataProps.length > 0 && { metadata: readEntries(proto.metadataProps) }),
    ...(doc && { doc }),
    ...restOf(NodeProtoSchema, proto, KNOWN_NODE),
  };
}

const KNOWN_NODE = [
  "opType",
  "domain",
  "overload",
  "name",
  "input",
  "output",
  "attribute",
  "metadataProps",
  "docString",
];

/** The standard domain by its short name. */
export const standard = (domain: string): string => (domain === "ai.onnx" ? "" : domain);

export function readEntries(entries: readonly StringStringEntryProto[]): Record<string, string> {
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

// --- Attributes.

export function readAttributes(protos: readonly AttributeProto[], reading: Reading): Attributes {
  const names = new Set(protos.map(({ name }) => name));
  if (names.size < protos.length) throw reading.wrong("has two attributes of one name");
  return Object.fromEntries(protos.map((proto) => [proto.name, readAttribute(proto, reading)]));
}

function readAttribute(proto: AttributeProto, reading: Reading): Attribute {
  const kind = kindOf(proto);
  if (!kind) throw reading.wrong(`has an attribute "${proto.name}" of no known kind`);
  const { rest } = restOf(AttributeProtoSchema, proto, KNOWN_ATTRIBUTE);
  const read: Attribute = proto.refAttrName
    ? { kind: "reference", value: proto.refAttrName, of: kind }
    : contentOf(proto, kind, reading);
  return rest ? { ...read, rest } : read;
}

function contentOf(proto: AttributeProto, kind: AttributeKind, reading: Reading): Attribute {
  const present = <T>(value: T | undefined): T => {
    if (value === undefined) throw reading.wrong(`lacks the content of its attribute "${proto.name}"`);
    return value;
  };
  switch (kind) {
    case "int":
      return { kind, value: Number(proto.i), ...(isExact(proto.i) ? {} : { exact: proto.i }) };
    case "ints":
      return {
        kind,
        value: proto.ints.map(Number),
        ...(proto.ints.every(isExact) ? {} : { exact: proto.ints }),
      };
    case "float":
      return { kind, value: proto.f };
    case "floats":
      return { kind, value: proto.floats };
    case "string":
      return { kind, value: decode(proto.s), ...(isText(proto.s) ? {} : { exact: proto.s.slice() }) };
    case "strings": {
      const exact = proto.strings.every(isText) ? {} : { exact: proto.strings.map((bytes) => bytes.slice()) };
      return { kind, value: proto.strings.map(decode), ...exact };
    }
    case "tensor":
      return { kind, value: readTensor(present(proto.t), reading) };
    case "tensors":
      return { kind, value: proto.tensors.map((tensor) => readTensor(tensor, reading)) };
    case "sparse":
      return { kind, value: readSparse(present(proto.sparseTensor), reading) };
    case "sparses":
      return { kind, value: proto.sparseTensors.map((tensor) => readSparse(tensor, reading)) };
    case "graph":
      return { kind, value: readGraph(present(proto.g), reading) };
    case "graphs":
      return { kind, value: proto.graphs.map((graph) => readGraph(graph, reading)) };
    case "type":
      return { kind, value: toBinary(TypeProtoSchema, present(proto.tp)) };
    case "types":
      return { kind, value: proto.typeProtos.map((type) => toBinary(TypeProtoSchema, type)) };
  }
}

const KNOWN_ATTRIBUTE = AttributeProtoSchema.fields
  .map(({ localName }) => localName)
  .filter((name) => name !== "docString");

// --- Functions.

export function readFunction(proto: FunctionProto, reading: Reading): GraphFunction {
  const { name, overload, input, output, attribute, docString: doc } = proto;
  const inFunction = inside(reading, `a function "${name}"`);
  const types = readTypes(proto.valueInfo, inFunction);
  return {
    domain: standard(proto.domain),
    name,
    ...(overload && { overload }),
    inputs: input,
    outputs: output,
    attributes: attribute,
    defaults: readAttributes(proto.attributeProto, inFunction),
    nodes: proto.node.map((node) => readNode(node, inFunction)),
    opsets: readOpsets(proto.opsetImport, inFunction),
    ...(types && { types }),
    ...(doc && { doc }),
    ...restOf(FunctionProtoSchema, proto, KNOWN_FUNCTION),
  };
}

const KNOWN_FUNCTION = [
  "domain",
  "name",
  "overload",
  "input",
  "output",
  "attribute",
  "attributeProto",
  "node",
  "opsetImport",
  "valueInfo",
  "docString",
];

/** Versions of operator sets by domain. */
export function readOpsets(imports: readonly OperatorSetIdProto[], reading: Reading): Record<string, number> {
  const versions = new Map<string, number>();
  for (const { domain: name, version } of imports) {
    const domain = standard(name);
    if (version < 0n || version > Number.MAX_SAFE_INTEGER)
      throw reading.wrong(`is damaged: it wants version ${version} of the operators of "${domain}"`);
    const known = versions.get(domain);
    if (known !== undefined && known !== Number(version))
      throw reading.wrong(
        `is damaged: it wants versions ${known} and ${version} of the operators of "${domain}"`,
      );
    versions.set(domain, Number(version));
  }
  return Object.fromEntries(versions);
}
