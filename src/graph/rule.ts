import type { Attribute, Constant, DataType } from "./graph.ts";
import type { Value } from "./value.ts";

export interface InferredType {
  readonly dtype: DataType;
  readonly shape: readonly number[];
}

/** What a rule is told of a call besides its inputs. */
export interface CallSite {
  readonly op: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly outputCount: number;
  readonly opset: number;
}

/** What a shape rule sees of an input. */
export interface RuleInput extends InferredType {
  /** Its data, where known while tracing. */
  readonly constant: Constant | null;
}

/** What the host reference sees of an input. */
export interface HostInput extends InferredType {
  readonly numbers: Float64Array;
}

/** What a gradient rule sees: the call, the gradient of each output (null: none), and which inputs want theirs. */
export interface GradientCall {
  readonly site: CallSite;
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  readonly gradients: readonly (Value | null)[];
  readonly wanted: readonly boolean[];
}

/** What Fairlead knows of one operator, in the form it has since opset 18 (upgrade.ts brings older nodes to it). */
export interface Rule {
  /**
   * Types of the outputs; where it is absent, `expand` tells them. Throws UsageError naming the node when the inputs do
   * not fit.
   */
  infer?(site: CallSite, inputs: readonly (RuleInput | null)[]): readonly InferredType[];
  /**
   * One value per input: null for none, else any shape that broadcasts to the input's (so that a mean's gradient need
   * not be expanded to be added to another).
   */
  gradient?(call: GradientCall): readonly (Value | null)[];
  /**
   * The same outputs by standard operators, for a fused operator: what stands for its shape rule, gradient and evaluation.
   */
  expand?(site: CallSite, inputs: readonly (Value | null)[]): readonly Value[];
  /** The outputs, where the inputs' shapes are enough to know them. */
  fromShapes?(site: CallSite, inputs: readonly (RuleInput | null)[]): readonly Constant[];
  /** The slow reference: the outputs' numbers in float64. Folds constants, and is the oracle of the tests. */
  evaluate?(
    site: CallSite,
    inputs: readonly (HostInput | null)[],
    types: readonly InferredType[],
  ): readonly ArrayLike<number>[];
}

/** Rules of one operator family, by operator name ("com.microsoft::" in front of that domain's). */
export type RuleFamily = Readonly<Record<string, Rule>>;
