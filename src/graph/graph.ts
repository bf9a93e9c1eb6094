/** Element types of ONNX tensors, by the names ONNX Runtime uses. */
export type DataType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint64"
  | "uint32"
  | "uint16"
  | "uint8"
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

/** A tensor known when the graph is made. float16 and bfloat16 hold their bits in a Uint16Array, bool 0 or 1 in a Uint8Array. */
export interface Constant {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: ConstantArray;
}

export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: Constant };

export interface Node {
  readonly op: string;
  /** "" is the standard ONNX domain. */
  readonly domain: string;
  readonly name: string;
  /** Value names; "" is an absent optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface NamedType extends TensorType {
  readonly name: string;
}

/** An ONNX graph as an immutable value. Nodes stand in an order in which they can be run. */
export interface Graph {
  readonly name: string;
  /** Version of the standard operator set. */
  readonly opset: number;
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Constant>;
  readonly metadata: Readonly<Record<string, string>>;
}
