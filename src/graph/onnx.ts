import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import { clampedBigInt, hasNumbers } from "./constant.ts";
import { dataTypeOf, onnxCodeOf } from "./dataTypes.ts";
import { elementsOf } from "./onnxElements.ts";
import type { Attribute, Constant, DataType, Dim, Graph, NamedType, Node } from "./graph.ts";
import {
  type AttributeProto,
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataType as Code,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./proto/onnx_pb.ts";

/** Version of ONNX's file format that goes with opset 18. */
const IR_VERSION = 8n;

// --- Writing.

/** The graph as the bytes of a standard .onnx file. */
export function writeOnnx(graph: Graph): Uint8Array {
  const domains = new Set(graph.nodes.map((node) => node.domain));
  const imports = [...new Set(["", ...domains])].map((domain) =>
    create(OperatorSetIdProtoSchema, { domain, version: BigInt(domain === "" ? graph.opset : 1) }),
  );
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: "fairlead",
    opsetImport: imports,
    metadataProps: Object.entries(graph.metadata).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    ),
    graph: create(GraphProtoSchema, {
      name: graph.name,
      node: graph.nodes.map(nodeProto),
      initializer: [...graph.initializers].map(([name, constant]) => tensorProto(constant, name)),
      input: graph.inputs.map(valueProto),
      output: graph.outputs.map(valueProto),
    }),
  });
  return toBinary(ModelProtoSchema, model);
}

function nodeProto(node: Node): NodeProto {
  return create(NodeProtoSchema, {
    opType: node.op,
    domain: node.domain,
    name: node.name,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, attribute]) => attributeProto(name, attribute)),
  });
}

function attributeProto(name: string, attribute: Attribute): AttributeProto {
  switch (attribute.kind) {
    case "int":
      return create(AttributeProtoSchema, { name, type: Kind.INT, i: int64(attribute.value) });
    case "float":
      return create(AttributeProtoSchema, { name, type: Kind.FLOAT, f: attribute.value });
    case "string":
      return create(AttributeProtoSchema, {
        name,
        type: Kind.STRING,
        s: new TextEncoder().encode(attribute.value),
      });
    case "ints":
      return create(AttributeProtoSchema, { name, type: Kind.INTS, ints: attribute.value.map(int64) });
    case "floats":
      return create(AttributeProtoSchema, { name, type: Kind.FLOATS, floats: [...attribute.value] });
    case "strings": {
      const strings = attribute.value.map((text) => new TextEncoder().encode(text));
      return create(AttributeProtoSchema, { name, type: Kind.STRINGS, strings });
    }
    case "tensor":
      return create(AttributeProtoSchema, { name, type: Kind.TENSOR, t: tensorProto(attribute.value, "") });
    default:
      throw new FileError(`attributes of the kind ${attribute.kind} are not written yet`);
  }
}

const int64 = (n: number): bigint => clampedBigInt(n, -(2n ** 63n), 2n ** 63n - 1n);

function tensorProto({ dtype, shape, data }: Constant, name: string): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: onnxCodeOf(dtype),
    dims: shape.map(BigInt),
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });
}

function valueProto({ name, dtype, shape }: NamedType): ValueInfoProto {
  const dim = shape.map((size) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof size === "number"
          ? { case: "dimValue", value: BigInt(size) }
          : { case: "dimParam", value: size },
    }),
  );
  const tensorType = create(TypeProto_TensorSchema, {
    elemType: onnxCodeOf(dtype),
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  const type = create(TypeProtoSchema, { value: { case: "tensorType", value: tensorType } });
  return create(ValueInfoProtoSchema, { name, type });
}

// --- Reading.

/** Makes the error that says what is wrong with the file being read. */
type Wrong = (what: string) => FileError;

/**
 * The graph in the bytes of an .onnx file with its weights inside; `file` names it in errors.
 * Throws FileError saying what is wrong, or what is not read yet (weights in another file, graphs inside nodes, text).
 */
export function readOnnx(bytes: Uint8Array, file = "the model"): Graph {
  const wrong: Wrong = (what) => new FileError(`${file} ${what}`);
  let model;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw wrong(`is not an ONNX file, or is cut short (${(error as Error).message})`);
  }
  const { graph, opsetImport, metadataProps } = model;
  const standard = opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx");
  if (!graph || !standard) throw wrong("holds no graph: it is not an ONNX model, or is cut short");
  const unknown = graph.node.find(
    ({ domain }) => domain !== "" && !opsetImport.some((set) => set.domain === domain),
  );
  if (unknown)
    throw wrong(`says no version of the operators of "${unknown.domain}": it is damaged or cut short`);
  const initializers = new Map(graph.initializer.map((proto) => [proto.name, constantOf(proto, wrong)]));
  return {
    name: graph.name,
    opset: Number(standard.version),
    inputs: graph.input.filter(({ name }) => !initializers.has(name)).map((info) => typeOf(info, wrong)),
    outputs: graph.output.map((info) => typeOf(info, wrong)),
    nodes: graph.node.map((node) => nodeOf(node, wrong)),
    initializers,
    metadata: Object.fromEntries(metadataProps.map(({ key, value }) => [key, value])),
  };
}

function nodeOf(proto: NodeProto, wrong: Wrong): Node {
  const inNode: Wrong = (what) => wrong(`has a node "${proto.name}" (${proto.opType}) that ${what}`);
  return {
    op: proto.opType,
    domain: proto.domain === "ai.onnx" ? "" : proto.domain,
    name: proto.name,
    inputs: proto.input,
    outputs: proto.output,
    attributes: Object.fromEntries(
      proto.attribute.map((attribute) => [attribute.name, attributeOf(attribute, inNode)]),
    ),
  };
}

function attributeOf(proto: AttributeProto, wrong: Wrong): Attribute {
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  switch (proto.type) {
    case Kind.INT:
      return { kind: "int", value: Number(proto.i) };
    case Kind.FLOAT:
      return { kind: "float", value: proto.f };
    case Kind.STRING:
      return { kind: "string", value: text(proto.s) };
    case Kind.INTS:
      return { kind: "ints", value: proto.ints.map(Number) };
    case Kind.FLOATS:
      return { kind: "floats", value: proto.floats };
    case Kind.STRINGS:
      return { kind: "strings", value: proto.strings.map(text) };
    case Kind.TENSOR:
      if (!proto.t) throw wrong(`lacks its attribute "${proto.name}"`);
      return { kind: "tensor", value: constantOf(proto.t, wrong) };
    default:
      throw wrong(
        `has an attribute "${proto.name}" of the kind ${Kind[proto.type] ?? proto.type}, which is not read yet`,
      );
  }
}

function typeOf({ name, type }: ValueInfoProto, wrong: Wrong): NamedType {
  if (type?.value.case !== "tensorType") throw wrong(`has a "${name}" that is not a tensor`);
  const { elemType, shape } = type.value.value;
  if (!shape) throw wrong(`says no shape for "${name}": run ONNX's shape inference on it first`);
  const dims = shape.dim.map(({ value }, i): Dim => {
    if (value.case === "dimValue") return Number(value.value);
    return value.value || `${name}_${i}`;
  });
  return { name, dtype: dtypeOf(elemType, name, wrong), shape: dims };
}

function dtypeOf(code: number, name: string, wrong: Wrong): DataType {
  const dtype = dataTypeOf(code);
  if (!dtype || !(hasNumbers(dtype) || dtype === "string"))
    throw wrong(`has a "${name}" of element type ${Code[code] ?? code}, which is not read yet`);
  return dtype;
}

function constantOf(proto: TensorProto, wrong: Wrong): Constant {
  const { name } = proto;
  const dtype = dtypeOf(proto.dataType ?? 0, name, wrong);
  if (dtype === "string") throw wrong(`has a "${name}" of text, which is not read yet`);
  if (proto.externalData.length > 0) throw wrong(`keeps "${name}" in another file, which is not read yet`);
  const shape = proto.dims.map(Number);
  const data = elementsOf(proto, dtype);
  if (data?.length !== sizeOf(shape)) {
    throw wrong(`is damaged: "${name}" of shape [${shape.join(", ")}] does not hold ${sizeOf(shape)} values`);
  }
  return { dtype, shape, data };
}
