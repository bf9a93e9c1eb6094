import { create, fromBinary } from "@bufbuild/protobuf";
import type { Attribute, Attributes, GraphFunction, Node, Subgraph } from "../graph.ts";
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
  OperatorSetIdProtoSchema,
  type StringStringEntryProto,
  StringStringEntryProtoSchema,
  TypeProtoSchema,
} from "../proto/onnx_pb.ts";
import { codeOfKind } from "./attributeKinds.ts";
import { encode, int64 } from "./exact.ts";
import { withRest } from "./rest.ts";
import { type Outside, sparseProto, tensorProto } from "./tensor.ts";
import { valueProto } from "./valueType.ts";

export function graphProto(graph: Subgraph, outside: Outside): GraphProto {
  const { name, inputs, outputs, nodes, initializers, sparse, overridable = [], types, doc, rest } = graph;
  const proto = withRest(GraphProtoSchema, rest);
  proto.name = name;
  proto.node = nodes.map((node) => nodeProto(node, outside));
  proto.initializer = [...initializers].map(([key, constant]) => tensorProto(constant, key, outside));
  proto.sparseInitializer = [...(sparse ?? [])].map(([key, constant]) => sparseProto(constant, key, outside));
  proto.input = [...inputs, ...overridable].map(valueProto);
  proto.output = outputs.map(valueProto);
  proto.valueInfo = [...(types?.values() ?? [])].map(valueProto);
  if (doc) proto.docString = doc;
  return proto;
}

function nodeProto(node: Node, outside: Outside): NodeProto {
  const proto = withRest(NodeProtoSchema, node.rest);
  proto.opType = node.op;
  proto.domain = node.domain;
  if (node.overload) proto.overload = node.overload;
  proto.name = node.name;
  proto.input = [...node.inputs];
  proto.output = [...node.outputs];
  proto.attribute = attributeProtos(node.attributes, outside);
  proto.metadataProps = entryProtos(node.metadata ?? {});
  if (node.doc) proto.docString = node.doc;
  return proto;
}

export function functionProto(definition: GraphFunction, outside: Outside): FunctionProto {
  const proto = withRest(FunctionProtoSchema, definition.rest);
  proto.domain = definition.domain;
  proto.name = definition.name;
  if (definition.overload) proto.overload = definition.overload;
  proto.input = [...definition.inputs];
  proto.output = [...definition.outputs];
  proto.attribute = [...definition.attributes];
  proto.attributeProto = attributeProtos(definition.defaults, outside);
  proto.node = definition.nodes.map((node) => nodeProto(node, outside));
  proto.opsetImport = opsetProtos(definition.opsets);
  proto.valueInfo = [...(definition.types?.values() ?? [])].map(valueProto);
  if (definition.doc) proto.docString = definition.doc;
  return proto;
}

export function entryProtos(entries: Readonly<Record<string, string>>): StringStringEntryProto[] {
  return Object.entries(entries).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
}

export function opsetProtos(versions: Readonly<Record<string, number>>): OperatorSetIdProto[] {
  return Object.entries(versions).map(([domain, version]) =>
    create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
  );
}

function attributeProtos(attributes: Attributes, outside: Outside): AttributeProto[] {
  return Object.entries(attributes).map(([name, attribute]) => attributeProto(name, attribute, outside));
}

function attributeProto(name: string, attribute: Attribute, outside: Outside): AttributeProto {
  const proto = withRest(AttributeProtoSchema, attribute.rest);
  proto.name = name;
  proto.type = codeOfKind(attribute.kind === "reference" ? attribute.of : attribute.kind);
  setContent(proto, attribute, outside);
  return proto;
}

function setContent(proto: AttributeProto, attribute: Attribute, outside: Outside): void {
  switch (attribute.kind) {
    case "int":
      proto.i = attribute.exact ?? int64(attribute.value);
      break;
    case "ints":
      proto.ints = [...(attribute.exact ?? attribute.value.map(int64))];
      break;
    case "float":
      proto.f = attribute.value;
      break;
    case "floats":
      proto.floats = [...attribute.value];
      break;
    case "string":
      proto.s = attribute.exact ?? encode(attribute.value);
      break;
    case "strings":
      proto.strings = [...(attribute.exact ?? attribute.value.map(encode))];
      break;
    case "tensor":
      proto.t = tensorProto(attribute.value, null, outside);
      break;
    case "tensors":
      proto.tensors = attribute.value.map((tensor) => tensorProto(tensor, null, outside));
      break;
    case "sparse":
      proto.sparseTensor = sparseProto(attribute.value, null, outside);
      break;
    case "sparses":
      proto.sparseTensors = attribute.value.map((tensor) => sparseProto(tensor, null, outside));
      break;
    case "graph":
      proto.g = graphProto(attribute.value, outside);
      break;
    case "graphs":
      proto.graphs = attribute.value.map((graph) => graphProto(graph, outside));
      break;
    case "type":
      proto.tp = fromBinary(TypeProtoSchema, attribute.value);
      break;
    case "types":
      proto.typeProtos = attribute.value.map((type) => fromBinary(TypeProtoSchema, type));
      break;
    case "reference":
      proto.refAttrName = attribute.value;
      break;
  }
}
