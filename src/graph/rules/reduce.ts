import { intOf } from "../attributes.ts";
import { cast, div, equal, exp, mul, sub } from "../ops/elementwise.ts";
import { sumTo } from "../ops/reduce.ts";
import { reshape } from "../ops/reshape.ts";
import type { CallSite, Rule, RuleFamily } from "../rule.ts";
import { axisOf, broadcastIndex, knownNumbers } from "../shapes.ts";
import type { Value } from "../value.ts";

interface Reduction {
  /** The output's shape with reduced axes kept as 1. */
  readonly kept: readonly number[];
  readonly shape: readonly number[];
  /** Elements reduced into one. */
  readonly count: number;
}

function reductionOf(site: CallSite, from: readonly number[], given: readonly number[] | null): Reduction {
  const all = (given ?? []).length === 0 && intOf(site, "noop_with_empty_axes", 0) === 0;
  const axes = all ? from.map((_, i) => i) : given!.map((axis) => axisOf(site, axis, from.length));
  const kept = from.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const keep = intOf(site, "keepdims", 1) === 1;
  return {
    kept,
    shape: keep ? kept : from.filter((_, i) => !axes.includes(i)),
    count: axes.reduce((n, i) => n * from[i], 1),
  };
}

/** Gradient of a reduction; g and y have the reduced axes kept. */
type ReduceGradient = (site: { g: Value; x: Value; y: Value; count: number }) => Value;

function reduction(fold: (group: number[]) => number, gradient: ReduceGradient): Rule {
  return {
    infer: (site, [x, axes]) => [
      { dtype: x!.dtype, shape: reductionOf(site, x!.shape, knownNumbers(site, axes, "axes")).shape },
    ],
    gradient: ({ site, inputs: [x, axes], outputs, gradients }) => {
      const { kept, count } = reductionOf(site, x!.shape, knownNumbers(site, axes, "axes"));
      return [
        gradient({ g: reshape(gradients[0]!, kept), x: x!, y: reshape(outputs[0], kept), count }),
        null,
      ];
    },
    evaluate: (site, [x, axes]) => {
      const { kept } = reductionOf(site, x!.shape, axes ? Array.from(axes.numbers) : null);
      const groups: number[][] = Array.from({ length: kept.reduce((a, b) => a * b, 1) }, () => []);
      const index = broadcastIndex(kept, x!.shape);
      x!.numbers.forEach((value, i) => groups[index(i)].push(value));
      return [groups.map(fold)];
    },
  };
}

const total = (group: number[]): number => group.reduce((a, b) => a + b, 0);

function logSumExp(group: number[]): number {
  const top = Math.max(...group);
  return top + Math.log(total(group.map((x) => Math.exp(x - top))));
}

export const reduce: RuleFamily = {
  ReduceSum: reduction(total, ({ g }) => g),
  ReduceMean: reduction(
    (group) => total(group) / group.length,
    ({ g, count }) => mul(g, 1 / count),
  ),
  ReduceSumSquare: reduction(
    (group) => total(group.map((x) => x * x)),
    ({ g, x }) => mul(x, mul(g, 2)),
  ),
  // Shared equally among ties.
  ReduceMax: reduction(
    (group) => Math.max(...group),
    ({ g, x, y }) => {
      const ties = cast(equal(x, y), x.dtype);
      return mul(ties, div(g, sumTo(ties, g.shape)));
    },
  ),
  ReduceLogSumExp: reduction(logSumExp, ({ g, x, y }) => mul(g, exp(sub(x, y)))),
};
