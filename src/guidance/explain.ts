import type { Labels } from "../diffusion/denoiser.ts";
import type { Visit } from "../diffusion/visits.ts";
import { type Asked, askedAt } from "./asked.ts";
import { buildGuidance } from "./build.ts";
import { type Part, describe } from "./explainRange.ts";
import { intervalWords } from "./explainWords.ts";
import type { Explanation, MethodExplanation, RangeExplanation, RunExplanation } from "./explanation.ts";
import type { Guidance, Moment } from "./guidance.ts";
import { guide } from "./guide.ts";
import { type Interval, inInterval } from "./interval.ts";
import type { Method } from "./method.ts";
import { methods } from "./methods.ts";
import type { MethodSpec } from "./methods.ts";
import { type WeightSpec, weightOf } from "./schedules.ts";
import { completeSpec, formatGuidance, parseGuidance } from "./spec.ts";
import { type ExplainedModel, standInModel } from "./standIn.ts";
import { weightAt } from "./weight.ts";

export interface ExplainOptions {
  /** What is guided; default: a stand-in that offers everything. */
  readonly model?: ExplainedModel;
  /** The evaluations of a sampling, in order. */
  readonly visits?: readonly Visit[];
  /** Noise levels at which strengths that vary are shown. Default: 80, 20, 5, 1, 0.2, 0.05. */
  readonly sigmas?: readonly number[];
}

/**
 * What an expression asks for, for each range of sigma between the edges of its methods' intervals: which predictions, how many
 * evaluations and gradients, the formulas with their numbers, and in which order things happen. Derived from the guidance that
 * `buildGuidance` makes and from the catalogue; computes no prediction.
 * Throws a UsageError for whatever `parseGuidance`, `buildGuidance` and `guide` refuse.
 */
export function explainGuidance(
  given: string | readonly MethodSpec[],
  options: ExplainOptions = {},
): Explanation {
  const specs = (typeof given === "string" ? parseGuidance(given) : given).map((one) =>
    completeSpec({ ...one }),
  );
  const model = options.model ?? standInModel(specs);
  const guidance = buildGuidance(specs, model.resources);
  const rows = Math.max(1, ...specs.map(rowsOf));
  const condition = model.resources.conditional ? new Array<number>(rows).fill(0) : null;
  guide(model.denoiser, condition, guidance);

  const parts = partsOf(specs);
  const x = { data: new Float32Array(0), shape: [rows, ...model.denoiser.shape] };
  const seeds = Array.from({ length: rows }, (_, i) => i);
  const at = (sigma: number, step: number): Asked<Labels> =>
    askedAt(model.denoiser, condition, guidance, { x, sigma, step, seeds } satisfies Moment);

  const changing = Math.max(1, ...specs.map(stepsOf));
  const ranges = edgesOf(guidance).flatMap((range) =>
    phases(changing, (step) => at(inside(range), step)).map(({ from, to, asked }) => ({
      ...range,
      ...(from === 0 && to === null ? {} : { steps: { from, to } }),
      ...describe(asked, { parts, model, condition, rows, sigma: inside(range) }),
    })),
  );
  const { visits } = options;
  return {
    guidance: formatGuidance(specs),
    base: guidance.base,
    renoises: guidance.renoises,
    shiftsMean: guidance.shiftsMean,
    methods: parts.map((part) =>
      aboutMethod(part, intervalOf(part, guidance), options.sigmas ?? [80, 20, 5, 1, 0.2, 0.05]),
    ),
    order: orderOf(parts, guidance),
    ranges: visits ? ranges.map((range) => ({ ...range, run: runIn(visits, range, at) })) : ranges,
    ...(visits && { run: runOf(visits, at) }),
  };
}

/** The ranges between the edges of all intervals, highest first. */
function edgesOf<C>({ terms, pushes, adjusts, changes }: Guidance<C>): Interval[] {
  const intervals = [...terms, ...pushes, ...adjusts, ...changes].map(({ interval }) => interval);
  const edges = new Set(intervals.flatMap(({ low, high }) => [low, high]));
  const sorted = [0, Infinity, ...edges].sort((a, b) => b - a);
  const highs = sorted.filter((edge, i) => edge !== sorted[i - 1]);
  return highs.slice(0, -1).map((high, i) => ({ low: highs[i + 1], high }));
}

/** A noise level of the range. */
const inside = ({ low, high }: Interval): number => (high === Infinity ? 2 * low + 1 : high);

/** Runs of steps in which the same is asked for: the first `changing` steps may differ, all later ones are like the last. */
function phases(changing: number, at: (step: number) => Asked<Labels>) {
  const found: { from: number; to: number | null; asked: Asked<Labels> }[] = [];
  for (let step = 0; step < changing; step++) {
    const asked = at(step);
    const last = found.at(-1);
    if (last && signature(last.asked) === signature(asked)) last.to = step;
    else found.push({ from: step, to: step, asked });
  }
  found[found.length - 1].to = null;
  return found;
}

const signature = ({ terms, cost }: Asked<Labels>): string =>
  JSON.stringify([terms.map(({ index }) => index), cost]);

/** The specs with their places in the lists of a guidance: each role's come in the order in which they are written. */
function partsOf(specs: readonly MethodSpec[]): Part[] {
  const names = specs.map(({ method, combine }) => combine?.method ?? method);
  return specs.map((spec, i) => {
    const method = methods[spec.method];
    const same = names.filter((name) => name === names[i]).length;
    const before = names.slice(0, i).filter((name) => name === names[i]).length;
    const index = specs.slice(0, i).filter((one) => methods[one.method].role === method.role).length;
    return { spec, method, name: same > 1 ? `${names[i]} ${before + 1}` : names[i], index };
  });
}

/** Where a method acts. A change of the condition may know of more noise levels that it leaves alone than its spec says. */
function intervalOf<C>({ spec, method, index }: Part, { changes }: Guidance<C>): Interval | undefined {
  return method.role === "condition" ? changes[index].interval : (spec.interval as Interval | undefined);
}

function aboutMethod(
  { spec, method, name }: Part,
  interval: Interval | undefined,
  sigmas: readonly number[],
): MethodExplanation {
  const strength = spec[method.strength] as WeightSpec;
  const combine = spec.combine && methods[spec.combine.method];
  const off = method.off ?? 1;
  const schedule = typeof strength === "object" ? weightOf(strength, off) : 1;
  const varies = typeof strength === "object" && !["rows", "steps"].includes(strength.kind);
  return {
    method: name,
    ...(combine && { weak: method.name }),
    role: method.role,
    summary: combine ? combine.summary : method.summary,
    acts: interval ? intervalWords(interval) : "at every sigma",
    ...(varies && {
      strengths: sigmas
        .filter((sigma) => !interval || inInterval(sigma, interval))
        .map((sigma) => ({ sigma, strength: (weightAt(schedule, sigma, 0, 1) as number) - 1 + off })),
    }),
  };
}

function orderOf<C>(parts: readonly Part[], guidance: Guidance<C>): string[] {
  const of = (role: Method["role"], holds: (part: Part) => boolean = () => true): string[] =>
    parts.filter((part) => part.method.role === role && holds(part)).map(({ name }) => name);
  const shifts = ({ index }: Part): boolean => guidance.pushes[index].shift !== undefined;
  const [changes, weak, adjusts] = [of("condition"), of("weak"), of("adjust")];
  const [pushes, shifting] = [of("push", (part) => !shifts(part)), of("push", shifts)];
  const acting = (names: readonly string[], one: string, many: string): string =>
    `${names.join(", ")} ${names.length === 1 ? one : many}`;
  return [
    ...(changes.length > 0
      ? [acting(changes, "changes the condition", "change the condition, in this order")]
      : []),
    "every prediction that is wanted is made, equal ones once",
    ...(weak.length > 0
      ? [
          acting(
            weak,
            "moves the strong prediction away from its weak one",
            "each move the strong prediction away from their weak ones; the moves are added, in whatever order",
          ),
        ]
      : []),
    ...(pushes.length > 0
      ? [acting(pushes, "adds its gradient", "add their gradients, in whatever order")]
      : []),
    ...(adjusts.length > 0
      ? [
          acting(
            adjusts,
            "corrects what came out",
            "correct what came out, one after the other in this order",
          ),
        ]
      : []),
    ...(shifting.length > 0
      ? [
          acting(
            shifting,
            "moves the mean of the sampler's step along its gradient",
            "move the mean of the sampler's step along their gradients",
          ),
        ]
      : []),
  ];
}

const strengthOf = ({ method, ...spec }: MethodSpec): WeightSpec | undefined =>
  spec[methods[method].strength] as WeightSpec | undefined;

function rowsOf(spec: MethodSpec): number {
  const strength = strengthOf(spec);
  return typeof strength === "object" && strength.kind === "rows" ? strength.weights.length : 1;
}

function stepsOf(spec: MethodSpec): number {
  const strength = strengthOf(spec);
  return typeof strength === "object" && strength.kind === "steps" ? strength.weights.length : 1;
}

type At = (sigma: number, step: number) => Asked<Labels>;

/** Evaluations and gradients of a run, for each sample. */
function runOf(visits: readonly Visit[], at: At): RunExplanation {
  const asked = visits.map(({ sigma, step }) => at(sigma, step));
  return {
    steps: new Set(visits.map(({ step }) => step)).size,
    visits: visits.length,
    cost: {
      networks: asked.reduce((sum, { cost }) => sum + cost.networks, 0),
      gradients: asked.reduce((sum, { cost }) => sum + cost.gradients, 0),
    },
    atMost: asked.some(({ atMost }) => atMost),
  };
}

/** The part of a run in a range: steps that begin there, and evaluations. */
function runIn(visits: readonly Visit[], range: Interval & Pick<RangeExplanation, "steps">, at: At) {
  const { from, to } = range.steps ?? { from: 0, to: null };
  const inRange = ({ sigma, step }: Visit): boolean =>
    inInterval(sigma, range) && step >= from && (to === null || step <= to);
  const starts = visits.filter((visit, i) => visits[i - 1]?.step !== visit.step);
  const { visits: count, cost } = runOf(visits.filter(inRange), at);
  return { steps: starts.filter(inRange).length, visits: count, cost };
}
