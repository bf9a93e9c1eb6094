/** Element types of ONNX tensors, by the names ONNX Runtime uses. */
export type DataType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "float8e4m3fn"
  | "float8e4m3fnuz"
  | "float8e5m2"
  | "float8e5m2fnuz"
  | "float8e8m0"
  | "float6e2m3"
  | "float6e3m2"
  | "float4e2m1"
  | "complex64"
  | "complex128"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "int4"
  | "int2"
  | "uint64"
  | "uint32"
  | "uint16"
  | "uint8"
  | "uint4"
  | "uint2"
  | "bool"
  | "string";

/** What a file says beyond the fields next to this one, encoded: carried from file to file unread. */
export type Rest = Uint8Array;

/** A dimension: a number, or the name of one that is bound later. */
export type Dim = number | string;

export interface TensorType {
  readonly dtype: DataType;
  readonly shape: readonly Dim[];
}

export type ConstantArray =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint32Array
  | Uint16Array
  | Uint8Array;

/**
 * A tensor known when the graph is made. float16 and bfloat16 hold their bits in a Uint16Array, float8 in a Uint8Array, bool
 * 0 or 1 in a Uint8Array, complex numbers their two parts in turn; elements of less than a byte are packed as in ONNX files.
 */
export interface Constant {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  /** May be a getter that reads a file when it is looked at: ask `shape` for the number of elements, not `data`. */
  readonly data: ConstantArray;
  /** The elements of a tensor of text, as bytes; `data` is then empty. */
  readonly text?: readonly Uint8Array[];
  readonly rest?: Rest;
}

/** A tensor of mostly zeros: its other values, and where they stand. */
export interface SparseConstant {
  readonly values: Constant;
  /** int64 [count] of flat indices, or [count, rank] of coordinates. */
  readonly indices: Constant;
  readonly shape: readonly number[];
}

/** `exact` is there only where `value` is not exactly what the file says: text that is no UTF-8, integers beyond 2^53. */
type AttributeContent =
  | { readonly kind: "int"; readonly value: number; readonly exact?: bigint }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string; readonly exact?: Uint8Array }
  | { readonly kind: "ints"; readonly value: readonly number[]; readonly exact?: readonly bigint[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[]; readonly exact?: readonly Uint8Array[] }
  | { readonly kind: "tensor"; readonly value: Constant }
  | { readonly kind: "tensors"; readonly value: readonly Constant[] }
  | { readonly kind: "sparse"; readonly value: SparseConstant }
  | { readonly kind: "sparses"; readonly value: readonly SparseConstant[] }
  /** A body of If, Loop or Scan; its nodes may read values of the graph around it by name. */
  | { readonly kind: "graph"; readonly value: Subgraph }
  | { readonly kind: "graphs"; readonly value: readonly Subgraph[] }
  /** The type of a sequence or an optional value, encoded. */
  | { readonly kind: "type"; readonly value: Uint8Array }
  | { readonly kind: "types"; readonly value: readonly Uint8Array[] };

export type AttributeKind = AttributeContent["kind"];

/** In a function: the attribute `value` of the node that calls it, which is of the kind `of`. */
interface AttributeReference {
  readonly kind: "reference";
  readonly value: string;
  readonly of: AttributeKind;
}

export type Attribute = (AttributeContent | AttributeReference) & { readonly rest?: Rest };

export type Attributes = Readonly<Record<string, Attribute>>;

export interface Node {
  readonly op: string;
  /** "" is the standard ONNX domain. */
  readonly domain: string;
  /** Which of several functions of one name is called. */
  readonly overload?: string;
  readonly name: string;
  /** Value names; "" is an absent optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
  /** What the exporter noted, as the module's path under "pkg.torch.onnx.name_scopes". */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly doc?: string;
  readonly rest?: Rest;
}

export interface NamedType extends TensorType {
  readonly name: string;
  /** Axes whose size the file neither says nor names; the names that they have in `shape` are made up. */
  readonly unnamed?: readonly number[];
  /** Set where the value is no tensor of known rank; `dtype` and `shape` then mean nothing. */
  readonly other?: OtherType;
  readonly rest?: Rest;
}

/** What a value is that is no tensor of known rank. */
export interface OtherType {
  readonly kind:
    "tensor without a shape" | "sparse tensor" | "sequence" | "map" | "optional" | "opaque" | "untyped";
  /** The type as it stands in the file. */
  readonly encoded: Uint8Array;
}

/** Nodes with their inputs, outputs and constants. Nodes stand in an order in which they can be run. */
export interface Subgraph {
  readonly name: string;
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Constant>;
  readonly sparse?: ReadonlyMap<string, SparseConstant>;
  /** Initializers that may be given as inputs too; before version 4 of the file format all had to be. */
  readonly overridable?: readonly NamedType[];
  /** Types of values in between, where the file says them. */
  readonly types?: ReadonlyMap<string, NamedType>;
  readonly doc?: string;
  readonly rest?: Rest;
}

/** An ONNX graph as an immutable value. */
export interface Graph extends Subgraph {
  /** Version of the standard operator set; 0 in a graph that does not use it. */
  readonly opset: number;
  /** Versions of further operator sets by domain; one that nodes use and that is not here has version 1. */
  readonly domains?: Readonly<Record<string, number>>;
  /** Operators that the graph brings along. */
  readonly functions?: readonly GraphFunction[];
  readonly metadata: Readonly<Record<string, string>>;
  /** What a file says of itself; absent for a graph made here. */
  readonly origin?: Origin;
}

/** An operator given by nodes. */
export interface GraphFunction {
  readonly domain: string;
  readonly name: string;
  readonly overload?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Attributes that a call must give. */
  readonly attributes: readonly string[];
  /** Attributes that a call may leave out, with their values. */
  readonly defaults: Attributes;
  readonly nodes: readonly Node[];
  /** Versions of all operator sets its nodes use, by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly types?: ReadonlyMap<string, NamedType>;
  readonly doc?: string;
  readonly rest?: Rest;
}

/** What a file says of itself. */
export interface Origin {
  /** Version of the file format. */
  readonly irVersion: number;
  readonly producer?: string;
  readonly producerVersion?: string;
  readonly domain?: string;
  readonly modelVersion?: number;
  readonly doc?: string;
  readonly rest?: Rest;
}
