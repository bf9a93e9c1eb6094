import type { Attribute, Constant, DataType } from "./graph.ts";
import type { Call, Value } from "./value.ts";

export interface InferredType {
  readonly dtype: DataType;
  readonly shape: readonly number[];
}

/** What a shape rule or a host evaluation sees of a call. */
export interface CallSite {
  readonly op: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly outputCount: number;
  readonly opset: number;
}

/** What a gradient rule sees: the call, the gradient of each output (null: none), and which inputs want theirs. */
export interface GradientCall {
  readonly call: Call;
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  readonly gradients: readonly (Value | null)[];
  readonly wanted: readonly boolean[];
}

/**
 * What Fairlead knows of one operator.
 * A gradient rule returns one value per input: null for none, else any shape that broadcasts to the input's shape
 * (so that a mean's gradient need not be expanded to be added to another).
 */
export interface Rule {
  infer(site: CallSite, inputs: readonly (Value | null)[]): readonly InferredType[];
  gradient?(site: GradientCall): readonly (Value | null)[];
  /** The slow reference: computes the outputs on the host. Used to fold constants, and as the tests' oracle. */
  evaluate?(site: CallSite, inputs: readonly (Constant | null)[]): readonly Constant[];
}

/** Rules of one operator family, by operator name ("com.microsoft::" in front of that domain's). */
export type RuleFamily = Readonly<Record<string, Rule>>;
