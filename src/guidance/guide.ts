import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import { map, rowSize, sameKind } from "../base/tensor.ts";
import type { Branch, Denoiser, Evaluate, Prediction } from "../diffusion/denoiser.ts";
import { ask, sameWanted } from "./ask.ts";
import type { Wanted } from "./ask.ts";
import type { WeightedWeak } from "./combine/extrapolate.ts";
import { extrapolate } from "./combine/extrapolate.ts";
import type { Guidance, Moment, Term } from "./guidance.ts";
import { inInterval } from "./interval.ts";
import { type Memory, memoryOf } from "./memory.ts";
import { alongGradients, scaleNow } from "./pushing.ts";
import { type WeightNow, isOff, weightAt } from "./weight.ts";

/** What was computed so far, per sample (per row of x). */
export interface EvaluationCount {
  /** Predictions by networks: 1 for the strong one and 1 for each distinct weak one, of whatever size their network is. */
  readonly networks: number;
  /** Gradients: of classifiers and scores, and each that is pulled back through a network. */
  readonly gradients: number;
}

export interface Guided {
  /** What a sampler calls: the guided prediction of x0. */
  readonly evaluate: Evaluate;
  /** The sum over all calls of `evaluate` since `guide` returned; read it after a run. */
  readonly evaluations: EvaluationCount;
}

export interface GuideOptions {
  /** The seed of each row, for methods that draw. Default: 0, 1, 2, ... */
  readonly seeds?: readonly number[];
}

/**
 * The denoiser guided towards `condition`, ready for a sampler, with the count of what it computes. One for each run: methods
 * with a memory begin anew when a sampler's steps do.
 *
 * A term of weight exactly 1, a push of scale exactly 0, and whatever is outside its interval are not evaluated; with none
 * left, the strong prediction is returned as it came. All branches of one denoiser at one sigma are asked for in one
 * call. condition holds for every row of every x (labels: one per row); null asks for unconditional samples.
 * Throws a UsageError for a term whose weak prediction would be the strong one itself.
 */
export function guide<C>(
  denoiser: Denoiser<C>,
  condition: C | null,
  guidance: Guidance<C>,
  { seeds }: GuideOptions = {},
): Guided {
  const count = { networks: 0, gradients: 0 };
  const from = guidance.from ?? denoiser;
  // Copies, so that a part that stands twice has two memories.
  const terms = guidance.terms.map((term) => ({
    ...term,
    from: term.from ?? from,
    ...(term.combine && { combine: { ...term.combine } }),
  }));
  const adjusts = guidance.adjusts.map((adjust) => ({ ...adjust }));
  for (const term of terms) if (!canBeOff(term)) checkDiffers(term, from, guidance.strong(condition));
  const memory = memoryOf([...terms.map(({ combine }) => combine), ...adjusts]);

  async function evaluate(x: Tensor, sigma: number, step?: number): Promise<Prediction> {
    const rows = x.shape[0];
    const now: Moment = { x, sigma, step: memory.enter(rows, step), seeds: seeds ?? counted(rows) };

    // Predictions.
    const branch = guidance.changes
      .filter(({ interval }) => inInterval(sigma, interval))
      .reduce((asked, change) => change.change(asked, now), guidance.strong(condition));
    const active = terms.flatMap((term) => {
      const weight = weightNow(term, now, memory);
      return weight === null ? [] : [{ ...term, weight }];
    });
    const asked = active.filter((term) => !term.degrade);
    const compared = active.filter((term) => term.reference);
    const answers = await ask(
      [
        { from, branch },
        ...asked.map((term) => wantedOf(term, branch, now)),
        ...compared.map((term) => ({ from: term.from, branch: term.reference!(branch, now) })),
      ],
      x,
      sigma,
    );
    count.networks += answers.evaluations;
    const [strong, ...others] = answers.predictions;
    const weaks = new Map(asked.map((term, i): [unknown, Tensor] => [term, others[i]]));
    const references = new Map(
      compared.map((term, i): [unknown, Prediction] => [term, others[asked.length + i]]),
    );

    // Predictions of what others were made into.
    for (const term of active) {
      if (!term.degrade) continue;
      const degraded = await term.degrade(now, {
        prediction: references.get(term) ?? strong,
        ...(term.reference ? { from: term.from, branch: term.reference(branch, now) } : { from, branch }),
      });
      const { predictions, evaluations } = await ask([wantedOf(term, branch, now)], degraded, sigma);
      count.networks += evaluations;
      weaks.set(
        term,
        map((value, i) => value + (x.data[i] - degraded.data[i]), predictions[0]),
      );
    }

    // Away from the weak ones.
    let denoised: Prediction = meet(
      now,
      strong,
      active.map((term) => {
        const [weak, compared] = [weaks.get(term)!, references.get(term) ?? strong];
        return { ...term, prediction: term.finish?.(weak, compared) ?? weak, compared };
      }),
      memory,
    );

    // Along the gradients.
    const pushes = guidance.pushes.flatMap((push) => {
      const scale = scaleNow(push, now);
      return scale === null ? [] : [{ ...push, scale }];
    });
    const pushing = { ...now, condition, branch, from, strong, count };
    const { moved, meanShift } = await alongGradients(pushes, denoised, pushing);
    const pushed = moved !== denoised;
    denoised = moved;

    // Corrections.
    for (const adjust of adjusts) {
      if (!inInterval(sigma, adjust.interval)) continue;
      if (adjust.relative && active.length === 0 && !pushed) continue;
      const { renoise } = denoised;
      denoised = memory.run(adjust, (state) => adjust.adjust({ ...now, strong, denoised }, state));
      if (renoise && !denoised.renoise) denoised = { ...denoised, renoise };
    }
    return meanShift ? { ...denoised, meanShift } : denoised;
  }
  return { evaluate, evaluations: count };
}

interface ActiveTerm<C> extends Term<C> {
  readonly from: Denoiser<C>;
  readonly weight: WeightNow;
}

/** The term's weight at this moment; null where it is off. */
export function weightNow<C>(term: Term<C>, { sigma, step, x }: Moment, memory: Memory): WeightNow | null {
  if (!inInterval(sigma, term.interval)) return null;
  const { combine } = term;
  const weight = weightAt(term.weight, sigma, step, x.shape[0]);
  if (isOff(weight) && combine?.offAtOne !== false) return null;
  if (combine?.finished && memory.peek(combine, combine.finished)) return null;
  return weight;
}

const canBeOff = <C>({ weight, combine }: Term<C>): boolean => weight === 1 && combine?.offAtOne !== false;

function wantedOf<C>(term: ActiveTerm<C>, strong: Branch<C>, now: Moment): Wanted<C> {
  return { from: term.from, branch: term.weak(strong, now) };
}

interface AnsweredTerm<C> extends ActiveTerm<C> {
  /** The weak prediction. */
  readonly prediction: Tensor;
  /** What it is compared with. */
  readonly compared: Prediction;
}

/** The strong prediction moved away from all weak ones. */
function meet<C>(
  now: Moment,
  strong: Prediction,
  terms: readonly AnsweredTerm<C>[],
  memory: Memory,
): Prediction {
  const isPlain = (term: AnsweredTerm<C>): boolean => !term.combine && term.compared === strong;
  let denoised: Prediction = extrapolate(strong, terms.filter(isPlain).map(weighted));
  for (const term of terms) {
    if (isPlain(term)) continue;
    const { combine, weight, prediction, compared } = term;
    const moved = combine
      ? memory.run(combine, (state) =>
          combine.combine({ ...now, strong: compared, weak: prediction, weight }, state),
        )
      : extrapolate(compared, [weighted(term)]);
    const kept = combine?.offAtOne === false ? moved : keepOff(compared, moved, weight);
    denoised =
      terms.length === 1 && compared === strong
        ? kept
        : { ...added(denoised, kept, compared), ...renoiseOf(denoised), ...renoiseOf(kept) };
  }
  return denoised;
}

const weighted = <C>({ weight, prediction }: AnsweredTerm<C>): WeightedWeak => ({
  weight,
  denoised: prediction,
});

/** Rows of weight 1 are the strong prediction's, bit for bit. */
function keepOff(strong: Prediction, moved: Prediction, weight: WeightNow): Prediction {
  if (typeof weight === "number" || weight.every((w) => w !== 1)) return moved;
  const size = rowSize(strong);
  const data = sameKind(strong.data, strong.data.length);
  data.set(moved.data);
  weight.forEach((w, row) => {
    if (w === 1) data.set(strong.data.subarray(row * size, (row + 1) * size), row * size);
  });
  return { ...moved, data };
}

/** base + (moved - strong) */
function added(base: Tensor, moved: Tensor, strong: Tensor): Tensor {
  return map((value, i) => value + (moved.data[i] - strong.data[i]), base);
}

const renoiseOf = ({ renoise }: Prediction): Pick<Prediction, "renoise"> => (renoise ? { renoise } : {});

const counted = (rows: number): readonly number[] => Array.from({ length: rows }, (_, i) => i);

/** Refuses a weak prediction that is the strong one. Random and sigma-dependent ones are looked at where they stand first. */
function checkDiffers<C>(
  term: Term<C> & { readonly from: Denoiser<C> },
  from: Denoiser<C>,
  strong: Branch<C>,
): void {
  if (term.degrade) return;
  const nothing: Tensor = { data: new Float32Array(0), shape: [0, ...from.shape] };
  const branch = term.weak(strong, { x: nothing, sigma: 1, step: 0, seeds: [] });
  if (!sameWanted({ from: term.from, branch }, { from, branch: strong })) return;
  throw new UsageError(
    `${term.method} would compare a prediction with itself; the weak one must differ in its condition ` +
      "(give a label, and no base=null), its perturbation or its network",
  );
}
