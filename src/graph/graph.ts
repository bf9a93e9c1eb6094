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
}

/** A tensor of mostly zeros: its other values, and where they stand. */
export interface SparseConstant {
  readonly values: Constant;
  /** int64 [count] of flat indices, or [count, rank] of coordinates. */
  readonly indices: Constant;
  readonly shape: readonly number[];
}

export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: Constant }
  | { readonly kind: "tensors"; readonly value: readonly Constant[] }
  /** A body of If, Loop or Scan; its nodes may read values of the graph around it by name. */
  | { readonly kind: "graph"; readonly value: Subgraph }
  | { readonly kind: "graphs"; readonly value: readonly Subgraph[] };

export interface Node {
  readonly op: string;
  /** "" is the standard ONNX domain. */
  readonly domain: string;
  readonly name: string;
  /** Value names; "" is an absent optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** What the exporter noted, as the module's path under "pkg.torch.onnx.name_scopes". */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface NamedType extends TensorType {
  readonly name: string;
}

/** Nodes with their inputs, outputs and constants. Nodes stand in an order in which they can be run. */
export interface Subgraph {
  readonly name: string;
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Constant>;
}

/** An ONNX graph as an immutable value. */
export interface Graph extends Subgraph {
  /** Version of the standard operator set. */
  readonly opset: number;
  readonly metadata: Readonly<Record<string, string>>;
}
