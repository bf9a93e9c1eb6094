import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Branch, Denoiser, Prediction } from "../diffusion/denoiser.ts";
import type { Interval } from "./interval.ts";
import type { Weight, WeightNow } from "./weight.ts";

/** Where a sampling stands when guidance is asked. */
export interface Moment {
  /** [batch, ...dims], with noise of standard deviation sigma. */
  readonly x: Tensor;
  readonly sigma: number;
  /** The sampler's step, from 0. */
  readonly step: number;
  /** The seed of each row, for methods that draw: a draw depends on a row's seed, not on its place in the batch. */
  readonly seeds: readonly number[];
}

/** Guidance by a worse prediction: the strong prediction moves away from a weak one. */
export interface Term<C> {
  readonly method: string;
  /** w in weak + w*(strong - weak); 1 is off. */
  readonly weight: Weight;
  /** Outside it the term is off. */
  readonly interval: Interval;
  /** How the weak prediction is asked for, given how the strong one is. */
  weak(strong: Branch<C>, moment: Moment): Branch<C>;
  /** Where the weak prediction comes from; absent: the denoiser of the strong prediction. */
  readonly from?: Denoiser<C>;
  /**
   * What the weak prediction is compared with, asked of the same denoiser as it; absent: the strong prediction. The
   * difference is added to the strong one all the same (SEG beside CFG compares unconditional predictions).
   */
  reference?(strong: Branch<C>, moment: Moment): Branch<C>;
  /**
   * The sample y that the weak denoiser is asked about; absent: x itself. The noise found in y is then taken from x: the weak
   * prediction is x - (y - D(y)).
   */
  degrade?(moment: Moment, compared: Compared<C>): Promise<Tensor> | Tensor;
  /** What is made of the weak denoiser's answer, beside what it is compared with; absent: nothing. Rows are independent. */
  finish?(answer: Tensor, compared: Tensor): Tensor;
  /** How the two predictions meet; absent: by extrapolation. */
  readonly combine?: Combine;
}

/** What a weak prediction is compared with, and how it was asked for. */
export interface Compared<C> {
  readonly prediction: Prediction;
  readonly from: Denoiser<C>;
  readonly branch: Branch<C>;
}

/** A pair of predictions of x0, and how far the strong one is to move away from the weak one. */
export interface Pair extends Moment {
  readonly strong: Prediction;
  readonly weak: Tensor;
  /** 1 is off; a row whose weight is 1 keeps the strong prediction whatever `combine` makes of it. */
  readonly weight: WeightNow;
}

/** What a method with a memory gives: its result, and what it knows from now on. */
export interface WithState<S> {
  readonly denoised: Prediction;
  readonly state: S;
}

/**
 * How a strong and a weak prediction meet. Rows are independent. A memory is a value: `init` makes it, `combine` gives the
 * next. It advances once a step of the sampler, by the first evaluation in it; further ones of that step start from
 * the same state and theirs is dropped.
 */
export interface Combine<S = unknown> {
  readonly method: string;
  /** Weights of 1 are off and cost nothing. False for methods that act at every weight (CFG++). Default true. */
  readonly offAtOne?: boolean;
  /** Whether its predictions say whose noise is put back, which only some samplers can do. Default false. */
  readonly renoises?: boolean;
  /** What is remembered before the first step. `step` is that step's number: not 0 where a run begins on the way. */
  init?(rows: number, step: number): S;
  combine(pair: Pair, state: S): WithState<S>;
  /** Whether the weak prediction is no longer needed, by any row. */
  finished?(state: S): boolean;
}

/** A correction of the guided prediction. */
export interface Adjust<S = unknown> {
  readonly method: string;
  readonly interval: Interval;
  /** Whether it compares with the strong prediction, and so does nothing where no term and no push acts. */
  readonly relative: boolean;
  init?(rows: number, step: number): S;
  adjust(
    guided: Moment & { readonly strong: Prediction; readonly denoised: Prediction },
    state: S,
  ): WithState<S>;
}

/** A change of how the strong prediction is asked for (CADS: a noisy condition). Weak predictions see the change too. */
export interface Change<C> {
  readonly method: string;
  readonly interval: Interval;
  change(branch: Branch<C>, moment: Moment): Branch<C>;
}

/** Where a push is asked for its gradient. */
export interface PushMoment<C> extends Moment {
  /** The one given to `guide`. */
  readonly condition: C | null;
  /** The strong prediction of x0 at (x, sigma), before anything moves it. */
  predicted(): Promise<Tensor>;
  /**
   * J' cotangent with J = d predicted/dx: a gradient with respect to the prediction becomes one with respect to x. Counts as a
   * gradient. Throws a UsageError where the network cannot be differentiated.
   */
  pullback(cotangent: Tensor): Promise<Tensor>;
}

/** Guidance by a gradient: the prediction of x0 moves by sigma^2 * scale * gradient. */
export interface Push<C> {
  readonly method: string;
  /** 0 is off. */
  readonly scale: Weight;
  /** Outside it the push is off. */
  readonly interval: Interval;
  /** Gradient of what is to grow, such as log p(y|x; sigma), with respect to x, of x's shape. Rows are independent. */
  gradient(at: PushMoment<C>): Promise<Tensor>;
  /** What it counts: 1 for its own gradient, and 1 for each that it pulls back. Default 1. */
  readonly gradients?: number;
  /** Which prediction is pushed; absent: see `compose`. */
  readonly base?: Base;
  /** Whether it brings the condition in by itself, so that alone it starts from the unconditional prediction. Default true. */
  readonly conditions?: boolean;
  /**
   * The mean of the sampler's step moves, by its noise's variance * scale * gradient, instead of the prediction: "mean", with
   * the gradient at the mean and at the next noise level; "x", with that at x. Only some samplers can. Absent: the prediction moves.
   */
  readonly shift?: "mean" | "x";
}

/** "condition": the conditional prediction. "null": the unconditional one, to which a push adds the condition. */
export type Base = "condition" | "null";

/** A part of a guidance. */
export type Part<C> = Term<C> | Push<C> | Adjust | Change<C>;

/** A way of guiding, as data: what is asked for, and how what comes back is combined. */
export interface Guidance<C> {
  readonly terms: readonly Term<C>[];
  readonly pushes: readonly Push<C>[];
  /** In the order in which they act. */
  readonly adjusts: readonly Adjust[];
  readonly changes: readonly Change<C>[];
  /** Which prediction is the strong one. */
  readonly base: Base;
  /** How the strong prediction is asked for. */
  strong(condition: C | null): Branch<C>;
  /** Where the strong prediction comes from; absent: the denoiser given to `guide`. */
  readonly from?: Denoiser<C>;
  /** Whether it needs a sampler that can put back another prediction's noise. */
  readonly renoises: boolean;
  /** Whether it needs a sampler that can move the mean of its steps. */
  readonly shiftsMean: boolean;
  /** For people: "cfg:4+pag:3". */
  readonly label: string;
}

export interface ComposeOptions<C> {
  /** For people; default: the methods' names joined by "+", or "none". */
  readonly label?: string;
  /** Which prediction is the strong one; default: what the pushes say, else see `compose`. */
  readonly base?: Base;
  /** A separate network for the unconditional prediction; absent: the guided network with the null condition. */
  readonly unconditional?: Denoiser<C>;
}

/**
 * The guidance that applies all `parts` at once:
 *
 *   D = strong + sum over terms (combine_i(strong, weak_i) - strong) + sum over pushes sigma^2 * scale_j * gradient_j
 *
 * and then the adjustments one after the other; by default combine_i = weak_i + w_i*(strong - weak_i). The order of terms and
 * pushes does not matter. The strong prediction is the conditional one, except that pushes alone start from the
 * unconditional one if one brings the condition in: a classifier then turns an unconditional network into a conditional one. A push's own `base`
 * overrides that. Throws a UsageError if two pushes name different bases, or two terms put back noise.
 */
export function compose<C>(parts: readonly Part<C>[], options: ComposeOptions<C> = {}): Guidance<C> {
  const terms = parts.filter((part) => "weak" in part);
  const pushes = parts.filter((part) => "gradient" in part);
  const renoising = terms.filter((term) => term.combine?.renoises);
  if (renoising.length > 1) {
    throw new UsageError(
      `only one method of a guidance can put back its noise, got ${renoising.map(({ method }) => method).join(", ")}: leave one out`,
    );
  }
  const base = options.base ?? baseOf(terms, pushes);
  return {
    terms,
    pushes,
    adjusts: parts.filter((part) => "adjust" in part),
    changes: parts.filter((part) => "change" in part),
    base,
    strong: (condition) => ({ condition: base === "null" ? null : condition }),
    from: base === "null" ? options.unconditional : undefined,
    renoises: renoising.length > 0,
    shiftsMean: pushes.some(({ shift }) => shift !== undefined),
    label: options.label ?? (parts.map((part) => part.method).join("+") || "none"),
  };
}

function baseOf<C>(terms: readonly Term<C>[], pushes: readonly Push<C>[]): Base {
  const named = new Set(pushes.flatMap((push) => push.base ?? []));
  if (named.size > 1) {
    throw new UsageError(
      "the methods of one guidance start from one prediction: give the same base to each, or to none",
    );
  }
  const [base] = named;
  const bringsCondition = pushes.some(({ conditions = true }) => conditions);
  return base ?? (terms.length === 0 && bringsCondition ? "null" : "condition");
}

/** The guidance that changes nothing: the strong prediction alone. */
export function unguided<C>(): Guidance<C> {
  return compose<C>([]);
}

/** A combination or adjustment with a memory of its own type, as the rest sees it: whose memory is its own affair. */
export function stateful<S, P extends Combine<S> | Adjust<S>>(
  part: P,
): P extends Combine<S> ? Combine : Adjust {
  return part as unknown as P extends Combine<S> ? Combine : Adjust;
}
