import type { Attribute, Constant, DataType } from "./graph.ts";
import type { Builder } from "./builder.ts";

/** A symbolic tensor inside a Builder. Its shape is always fully known. */
export interface Value {
  readonly builder: Builder;
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly number[];
  /** The call that computes it; null for inputs and constants. */
  readonly call: Call | null;
  /** Its data, when known while tracing. */
  readonly constant: Constant | null;
}

/** One operator application inside a Builder. */
export interface Call {
  /** Position in the order of creation, which is an order in which calls can be run. */
  readonly id: number;
  readonly op: string;
  readonly domain: string;
  readonly name: string;
  /** null is an absent optional input. */
  readonly inputs: readonly (Value | null)[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** What the bodies in its attributes (of If, Loop, Scan) read of the graph around them, by the names they use. */
  readonly captured?: ReadonlyMap<string, Value>;
  readonly outputs: readonly Value[];
  /** What the exporter noted of the node that this call was made from. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** All that a call reads. */
export function operandsOf({ inputs, captured }: Call): readonly Value[] {
  return [...inputs.filter((input) => input !== null), ...(captured?.values() ?? [])];
}

/** What the functions of this folder take where a tensor is wanted: numbers become scalars of the other operand's type. */
export type Operand = Value | number;
