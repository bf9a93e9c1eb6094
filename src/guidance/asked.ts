import type { Branch, Denoiser } from "../diffusion/denoiser.ts";
import { type Wanted, sameWanted } from "./ask.ts";
import type { Guidance, Moment, Term } from "./guidance.ts";
import { type EvaluationCount, weightNow } from "./guide.ts";
import { inInterval } from "./interval.ts";
import { memoryOf } from "./memory.ts";
import { scaleNow } from "./pushing.ts";
import type { WeightNow } from "./weight.ts";

/** A prediction that guidance asks for, and what for. */
export interface AskedPrediction<C> extends Wanted<C> {
  readonly role: "strong" | "weak" | "reference";
  /** Which of the guidance's terms wants it; absent: the strong prediction. */
  readonly term?: number;
  /** Whether it is of a sample that the term made out of the strong prediction, and so asked for after it. */
  readonly degraded?: boolean;
}

/** What guidance asks for at one moment, without computing it. */
export interface Asked<C> {
  /** Equal ones are computed once. */
  readonly predictions: readonly AskedPrediction<C>[];
  /** What acts, as places in the guidance's lists. */
  readonly terms: readonly { readonly index: number; readonly weight: WeightNow }[];
  readonly pushes: readonly number[];
  readonly adjusts: readonly number[];
  readonly changes: readonly number[];
  /** What `guide` will count for it. */
  readonly cost: EvaluationCount;
  /**
   * Whether a method may stop asking by itself, or the sampler not ask (for a shift of the step to 0), so that the cost is
   * what it is at most.
   */
  readonly atMost: boolean;
}

/**
 * What `guide(denoiser, condition, guidance)` asks for at a moment of a run: at its noise level, in its step, for as many rows
 * as x has. x's values are not looked at. What depends on predictions (when `adaptive` stops) is taken as at the start.
 * Throws UsageError for weights of another number than x's rows.
 */
export function askedAt<C>(
  denoiser: Denoiser<C>,
  condition: C | null,
  guidance: Guidance<C>,
  now: Moment,
): Asked<C> {
  const { sigma } = now;
  const from = guidance.from ?? denoiser;
  const acting = (parts: readonly { readonly interval: { low: number; high: number } }[]): number[] =>
    parts.flatMap(({ interval }, i) => (inInterval(sigma, interval) ? [i] : []));
  const memory = memoryOf(guidance.terms.map(({ combine }) => combine));
  memory.enter(now.x.shape[0], now.step);

  const changes = acting(guidance.changes);
  const branch = changes.reduce(
    (asked, i) => guidance.changes[i].change(asked, now),
    guidance.strong(condition),
  );
  const terms = guidance.terms.flatMap((term, index) => {
    const weight = weightNow(term, now, memory);
    return weight === null ? [] : [{ index, weight }];
  });
  const predictions: AskedPrediction<C>[] = [{ role: "strong", from, branch }];
  for (const { index } of terms) predictions.push(...ofTerm(guidance.terms[index], index, from, branch, now));

  const pushes = guidance.pushes.flatMap((push, i) => (scaleNow(push, now) === null ? [] : [i]));
  const gradients = pushes.reduce((sum, i) => sum + (guidance.pushes[i].gradients ?? 1), 0);
  const guided = terms.length + pushes.length > 0;
  return {
    predictions,
    terms,
    pushes,
    adjusts: acting(guidance.adjusts).filter((i) => guided || !guidance.adjusts[i].relative),
    changes,
    cost: { networks: distinct(predictions), gradients },
    atMost:
      terms.some(({ index }) => guidance.terms[index].combine?.finished !== undefined) ||
      pushes.some((i) => guidance.pushes[i].shift === "mean"),
  };
}

function ofTerm<C>(
  term: Term<C>,
  index: number,
  from: Denoiser<C>,
  strong: Branch<C>,
  now: Moment,
): AskedPrediction<C>[] {
  const degraded = term.degrade !== undefined;
  const own = term.from ?? from;
  const weak = { from: own, branch: term.weak(strong, now), term: index, degraded };
  const reference = term.reference?.(strong, now);
  return [
    { ...weak, role: "weak" },
    ...(reference ? [{ role: "reference" as const, from: own, branch: reference, term: index }] : []),
  ];
}

/** Predictions that are not equal. Each degraded sample is another sample. */
function distinct<C>(predictions: readonly AskedPrediction<C>[]): number {
  const degraded = predictions.filter((one) => one.degraded).length;
  const plain = predictions.filter((one) => !one.degraded);
  const first = plain.filter((one, i) => plain.findIndex((other) => sameWanted(one, other)) === i);
  return first.length + degraded;
}
