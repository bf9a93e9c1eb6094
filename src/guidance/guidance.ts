import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import { axpy } from "../base/tensor.ts";
import type { Branch, Denoiser, Evaluate } from "../diffusion/denoiser.ts";
import { ask, sameWanted } from "./ask.ts";
import type { Wanted } from "./ask.ts";
import { extrapolate } from "./combine/extrapolate.ts";
import { inInterval } from "./interval.ts";
import type { Interval } from "./interval.ts";

/** Guidance by a worse prediction: the strong prediction moves away from a weak one. */
export interface Term<C> {
  readonly method: string;
  /** w in weak + w*(strong - weak); 1 is off. */
  readonly weight: number;
  /** Outside it the term is off. */
  readonly interval: Interval;
  /** How the weak prediction is asked for, given the strong prediction's condition (null: unconditional). */
  weak(condition: C | null): Branch<C>;
  /** Where the weak prediction comes from; absent: the denoiser of the strong prediction. */
  readonly from?: Denoiser<C>;
}

/** Guidance by a gradient: the prediction of x0 moves by sigma^2 * scale * gradient. */
export interface Push<C> {
  readonly method: string;
  /** 0 is off. */
  readonly scale: number;
  /** Outside it the push is off. */
  readonly interval: Interval;
  /** Gradient of log p(y|x; sigma) with respect to x, of x's shape. The condition is the one given to `guide`. */
  gradient(x: Tensor, sigma: number, condition: C | null): Promise<Tensor>;
  /** Which prediction is pushed; absent: see `compose`. */
  readonly base?: Base;
}

/** "condition": the conditional prediction. "null": the unconditional one, to which a push adds the condition. */
export type Base = "condition" | "null";

/** A way of guiding, as data: what is asked for, and how what comes back is combined. */
export interface Guidance<C> {
  readonly terms: readonly Term<C>[];
  readonly pushes: readonly Push<C>[];
  /** Which prediction is the strong one. */
  readonly base: Base;
  /** How the strong prediction is asked for. */
  strong(condition: C | null): Branch<C>;
  /** Where the strong prediction comes from; absent: the denoiser given to `guide`. */
  readonly from?: Denoiser<C>;
  /** For people: "cfg:4+pag:3". */
  readonly label: string;
}

/** What was computed so far, per sample (per row of x). */
export interface EvaluationCount {
  /** Predictions by networks: 1 for the strong one and 1 for each distinct weak one, of whatever size their network is. */
  readonly networks: number;
  /** Gradients of classifiers. */
  readonly gradients: number;
}

export interface Guided {
  /** What a sampler calls: the guided prediction of x0. */
  readonly evaluate: Evaluate;
  /** The sum over all calls of `evaluate` since `guide` returned; read it after a run. */
  readonly evaluations: EvaluationCount;
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
 *   D = strong + sum over terms (w_i - 1)*(strong - weak_i) + sum over pushes sigma^2 * scale_j * gradient_j
 *
 * Their order does not matter. The strong prediction is the conditional one, except that pushes alone start from the
 * unconditional one: a classifier then turns an unconditional network into a conditional one. A push's own `base`
 * overrides that. Throws a UsageError if two pushes name different bases.
 */
export function compose<C>(
  parts: readonly (Term<C> | Push<C>)[],
  options: ComposeOptions<C> = {},
): Guidance<C> {
  const terms = parts.filter((part) => "weak" in part);
  const pushes = parts.filter((part) => "gradient" in part);
  const base = options.base ?? baseOf(terms, pushes);
  return {
    terms,
    pushes,
    base,
    strong: (condition) => ({ condition: base === "null" ? null : condition }),
    from: base === "null" ? options.unconditional : undefined,
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
  return base ?? (terms.length === 0 && pushes.length > 0 ? "null" : "condition");
}

/** The guidance that changes nothing: the strong prediction alone. */
export function unguided<C>(): Guidance<C> {
  return compose<C>([]);
}

/**
 * The denoiser guided towards `condition`, ready for a sampler, with the count of what it computes.
 *
 * A term of weight exactly 1, a push of scale exactly 0, and either outside its interval are not evaluated; with none
 * left, the strong prediction is returned as it came. All branches of one denoiser at one sigma are asked for in one
 * call. condition holds for every row of every x (labels: one per row); null asks for unconditional samples.
 * Throws a UsageError for a term whose weak prediction would be the strong one itself.
 */
export function guide<C>(denoiser: Denoiser<C>, condition: C | null, guidance: Guidance<C>): Guided {
  const count = { networks: 0, gradients: 0 };
  const strong: Wanted<C> = { from: guidance.from ?? denoiser, branch: guidance.strong(condition) };
  const terms = guidance.terms
    .filter((term) => term.weight !== 1)
    .map((term) => ({ ...term, wanted: weakOf(term, strong) }));
  const pushes = guidance.pushes.filter((push) => push.scale !== 0);

  async function evaluate(x: Tensor, sigma: number): Promise<Tensor> {
    // Predictions.
    const active = terms.filter((term) => inInterval(sigma, term.interval));
    const { predictions, evaluations } = await ask([strong, ...active.map((term) => term.wanted)], x, sigma);
    count.networks += evaluations;

    // Away from the weak ones.
    const weaks = active.map(({ weight }, i) => ({ weight, denoised: predictions[i + 1] }));
    let denoised = extrapolate(predictions[0], weaks);

    // Along the gradients.
    for (const push of pushes) {
      if (!inInterval(sigma, push.interval)) continue;
      const gradient = await push.gradient(x, sigma, condition);
      count.gradients += 1;
      denoised = axpy(sigma * sigma * push.scale, gradient, denoised);
    }
    return denoised;
  }
  return { evaluate, evaluations: count };
}

function weakOf<C>(term: Term<C>, strong: Wanted<C>): Wanted<C> {
  const wanted = { from: term.from ?? strong.from, branch: term.weak(strong.branch.condition) };
  if (sameWanted(wanted, strong)) {
    throw new UsageError(
      `${term.method} would compare a prediction with itself; the weak one must differ in its condition ` +
        "(give a label, and no base=null), its perturbation or its network",
    );
  }
  return wanted;
}
