import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileError, UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import type { Attribute, Constant, ConstantArray, DataType, Dim, Graph, NamedType, Node } from "./graph.ts";
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

const codes: Readonly<Record<DataType, Code>> = {
  float32: Code.FLOAT,
  float64: Code.DOUBLE,
  float16: Code.FLOAT16,
  bfloat16: Code.BFLOAT16,
  int64: Code.INT64,
  int32: Code.INT32,
  int16: Code.INT16,
  int8: Code.INT8,
  uint64: Code.UINT64,
  uint32: Code.UINT32,
  uint16: Code.UINT16,
  uint8: Code.UINT8,
  bool: Code.BOOL,
  string: Code.STRING,
};
const dtypes = new Map(Object.entries(codes).map(([dtype, code]) => [code, dtype as DataType]));

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
      return create(AttributeProtoSchema, { name, type: Kind.INT, i: BigInt(attribute.value) });
    case "float":
      return create(AttributeProtoSchema, { name, type: Kind.FLOAT, f: attribute.value });
    case "string":
      return create(AttributeProtoSchema, {
        name,
        type: Kind.STRING,
        s: new TextEncoder().encode(attribute.value),
      });
    case "ints":
      return create(AttributeProtoSchema, { name, type: Kind.INTS, ints: attribute.value.map(BigInt) });
    case "floats":
      return create(AttributeProtoSchema, { name, type: Kind.FLOATS, floats: [...attribute.value] });
    case "strings": {
      const strings = attribute.value.map((text) => new TextEncoder().encode(text));
      return create(AttributeProtoSchema, { name, type: Kind.STRINGS, strings });
    }
    case "tensor":
      return create(AttributeProtoSchema, { name, type: Kind.TENSOR, t: tensorProto(attribute.value, "") });
  }
}

function tensorProto({ dtype, shape, data }: Constant, name: string): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: codes[dtype],
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
    elemType: codes[dtype],
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  const type = create(TypeProtoSchema, { value: { case: "tensorType", value: tensorType } });
  return create(ValueInfoProtoSchema, { name, type });
}

// --- Reading.

/** The graph in the bytes of an .onnx file with its weights inside. Throws FileError naming what is wrong. */
export function readOnnx(bytes: Uint8Array, file = "the model"): Graph {
  let model;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new FileError(`${file} is not an ONNX file or is cut short (${(error as Error).message})`);
  }
  if (!model.graph) throw new FileError(`${file} holds no graph: it is not an ONNX model, or is cut short`);
  const { graph } = model;
  const standard = model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx");
  const initializers = new Map(graph.initializer.map((proto) => [proto.name, constantOf(proto, file)]));
  return {
    name: graph.name,
    opset: Number(standard?.version ?? 1n),
    inputs: graph.input.filter(({ name }) => !initializers.has(name)).map((info) => typeOf(info, file)),
    outputs: graph.output.map((info) => typeOf(info, file)),
    nodes: graph.node.map((node) => nodeOf(node, file)),
    initializers,
    metadata: Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value])),
  };
}

function nodeOf(proto: NodeProto, file: string): Node {
  const attributes = proto.attribute.map(
    (attribute) => [attribute.name, attributeOf(attribute, proto, file)] as const,
  );
  return {
    op: proto.opType,
    domain: proto.domain,
    name: proto.name,
    inputs: proto.input,
    outputs: proto.output,
    attributes: Object.fromEntries(attributes),
  };
}

function attributeOf(proto: AttributeProto, node: NodeProto, file: string): Attribute {
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
      return { kind: "tensor", value: constantOf(proto.t!, file) };
    default:
      throw new UsageError(
        `${file}: attribute "${proto.name}" of node "${node.name}" (${node.opType}) is of kind ${Kind[proto.type]}, which is not read yet`,
      );
  }
}

function typeOf(info: ValueInfoProto, file: string): NamedType {
  if (info.type?.value.case !== "tensorType") throw new UsageError(`${file}: "${info.name}" is not a tensor`);
  const { elemType, shape } = info.type.value.value;
  const dims = (shape?.dim ?? []).map((dim, i): Dim => {
    if (dim.value.case === "dimValue") return Number(dim.value.value);
    return dim.value.case === "dimParam" && dim.value.value !== "" ? dim.value.value : `${info.name}_${i}`;
  });
  return { name: info.name, dtype: dtypeOf(elemType, info.name, file), shape: dims };
}

function dtypeOf(code: number, name: string, file: string): DataType {
  const dtype = dtypes.get(code);
  if (!dtype)
    throw new UsageError(`${file}: "${name}" has element type ${Code[code] ?? code}, which is not read yet`);
  return dtype;
}

function constantOf(proto: TensorProto, file: string): Constant {
  const dtype = dtypeOf(proto.dataType ?? 0, proto.name, file);
  const shape = proto.dims.map(Number);
  const data = dataOf(proto, dtype, file);
  if (data.length !== sizeOf(shape)) {
    throw new FileError(
      `${file}: initializer "${proto.name}" of shape [${shape.join(", ")}] holds ${data.length} values: the file is damaged`,
    );
  }
  return { dtype, shape, data };
}

function dataOf(proto: TensorProto, dtype: DataType, file: string): ConstantArray {
  if (proto.externalData.length > 0)
    throw new UsageError(`${file}: "${proto.name}" lies in another file, which is not read yet`);
  const raw = proto.rawData && proto.rawData.length > 0 ? new Uint8Array(proto.rawData).buffer : null;
  switch (dtype) {
    case "float32":
      return raw ? new Float32Array(raw) : Float32Array.from(proto.floatData);
    case "float64":
      return raw ? new Float64Array(raw) : Float64Array.from(proto.doubleData);
    case "int64":
      return raw ? new BigInt64Array(raw) : BigInt64Array.from(proto.int64Data);
    case "uint64":
      return raw ? new BigUint64Array(raw) : BigUint64Array.from(proto.uint64Data);
    case "int32":
      return raw ? new Int32Array(raw) : Int32Array.from(proto.int32Data);
    case "uint32":
      return raw ? new Uint32Array(raw) : Uint32Array.from(proto.uint64Data, Number);
    case "int16":
      return raw ? new Int16Array(raw) : Int16Array.from(proto.int32Data);
    case "int8":
      return raw ? new Int8Array(raw) : Int8Array.from(proto.int32Data);
    case "uint16":
    case "float16":
    case "bfloat16":
      return raw ? new Uint16Array(raw) : Uint16Array.from(proto.int32Data);
    case "uint8":
    case "bool":
      return raw ? new Uint8Array(raw) : Uint8Array.from(proto.int32Data);
    case "string":
      throw new UsageError(`${file}: "${proto.name}" holds text, which is not read yet`);
  }
}
