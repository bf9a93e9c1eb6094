import type { EvaluationCount } from "./guide.ts";
import type { Method } from "./method.ts";

/** What an expression asks for. */
export interface Explanation {
  /** Its canonical text. */
  readonly guidance: string;
  /** Which prediction is the strong one. */
  readonly base: "condition" | "null";
  /** Whether it needs a sampler that can put back another prediction's noise. */
  readonly renoises: boolean;
  /** Whether it needs a sampler that can move the mean of its steps. */
  readonly shiftsMean: boolean;
  readonly methods: readonly MethodExplanation[];
  /** What is done one after the other, a sentence each. */
  readonly order: readonly string[];
  /** From the highest noise to the lowest. */
  readonly ranges: readonly RangeExplanation[];
  /** What a whole run costs, where the run is given. */
  readonly run?: RunExplanation;
}

export interface MethodExplanation {
  /** "cfg", "apg" (its weak prediction made by `weak`), ... */
  readonly method: string;
  /** The weak method that a way to combine goes with. */
  readonly weak?: string;
  readonly role: Method["role"];
  readonly summary: string;
  /** What the method needs and does in words: where it acts. */
  readonly acts: string;
  /** A strength that is no plain number: its value at some noise levels, as weight or scale. */
  readonly strengths?: readonly { readonly sigma: number; readonly strength: number }[];
}

/** A prediction that is computed, and what for. */
export interface BranchExplanation {
  /** "strong", "weak of cfg", "what seg compares with". */
  readonly for: readonly string[];
  /** Which network: "the network", "the guide early". */
  readonly network: string;
  /** How it is asked. */
  readonly asked: string;
}

/** What is asked for where low < sigma <= high. */
export interface RangeExplanation {
  readonly low: number;
  readonly high: number;
  /** Which steps of the sampler, where that matters; null: to the end. */
  readonly steps?: { readonly from: number; readonly to: number | null };
  /** Per sample and evaluation of the sampler. */
  readonly cost: EvaluationCount;
  /** Whether a method may end earlier by itself. */
  readonly atMost: boolean;
  readonly branches: readonly BranchExplanation[];
  /** The formulas with the numbers in them, in the order in which they act. */
  readonly formulas: readonly { readonly method: string; readonly formula: string }[];
  /** Methods that do nothing here, and why. */
  readonly off: readonly string[];
  /** The networks' true work in evaluations of each one's plain self, where the model tells. */
  readonly work?: readonly { readonly network: string; readonly evaluations: number }[];
  /** How much of the run lies here. */
  readonly run?: { readonly steps: number; readonly visits: number; readonly cost: EvaluationCount };
}

export interface RunExplanation {
  readonly steps: number;
  /** Evaluations by the sampler. */
  readonly visits: number;
  readonly cost: EvaluationCount;
  readonly atMost: boolean;
}
