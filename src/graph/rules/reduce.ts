import { intOf } from "../attributes.ts";
import { cast, div, equal, exp, mul, sign, sub, where } from "../ops/elementwise.ts";
import { slice } from "../ops/indexing.ts";
import { sumTo } from "../ops/reduce.ts";
import { concat, reshape, transpose } from "../ops/reshape.ts";
import type { CallSite, Rule, RuleFamily, RuleInput } from "../rule.ts";
import { axisOf, broadcastIndex, knownNumbers } from "../shapes.ts";
import type { Value } from "../value.ts";

interface Reduction {
  readonly axes: readonly number[];
  /** The output's shape with reduced axes kept as 1. */
  readonly kept: readonly number[];
  readonly shape: readonly number[];
  /** Elements reduced into one. */
  readonly count: number;
}

function reductionOf(site: CallSite, from: readonly number[], given: readonly number[] | null): Reduction {
  const all = (given ?? []).length === 0 && intOf(site, "noop_with_empty_axes", 0) === 0;
  const axes = all ? from.map((_, i) => i) : (given ?? []).map((axis) => axisOf(site, axis, from.length));
  const kept = from.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const keep = intOf(site, "keepdims", 1) === 1;
  return {
    axes,
    kept,
    shape: keep ? kept : from.filter((_, i) => !axes.includes(i)),
    count: axes.reduce((n, i) => n * from[i], 1),
  };
}

const knownReduction = (site: CallSite, [x, axes]: readonly (RuleInput | null)[]): Reduction =>
  reductionOf(site, x!.shape, knownNumbers(site, axes, "axes"));

/** Gradient of a reduction; g and y have the reduced axes kept. */
type ReduceGradient = (call: { g: Value; x: Value; y: Value; count: number }) => Value;

function reduction(fold: (group: number[]) => number, gradient?: ReduceGradient): Rule {
  return {
    infer: (site, inputs) => [{ dtype: inputs[0]!.dtype, shape: knownReduction(site, inputs).shape }],
    ...(gradient && {
      gradient: ({ site, inputs, outputs, gradients }) => {
        const { kept, count } = knownReduction(site, inputs);
        const [g, y] = [reshape(gradients[0]!, kept), reshape(outputs[0], kept)];
        return [gradient({ g, x: inputs[0]!, y, count }), null];
      },
    }),
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
const largest = (group: number[]): number => group.reduce((a, b) => Math.max(a, b), -Infinity);
const smallest = (group: number[]): number => group.reduce((a, b) => Math.min(a, b), Infinity);
const sumOfSquares = (group: number[]): number => total(group.map((x) => x * x));

function logSumExp(group: number[]): number {
  const top = largest(group);
  return top === -Infinity ? top : top + Math.log(total(group.map((x) => Math.exp(x - top))));
}

/** Shared equally among ties. */
const sharedGradient: ReduceGradient = ({ g, x, y }) => {
  const ties = cast(equal(x, y), x.dtype);
  return mul(ties, div(g, sumTo(ties, g.shape)));
};

/** The product by multiplying halves, which has the right derivatives of every order where elements are 0. */
function productOfHalves(site: CallSite, inputs: readonly (Value | null)[]): Value[] {
  const x = inputs[0]!;
  const { axes, shape, count } = knownReduction(site, inputs);
  const others = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  let rows = reshape(transpose(x, [...axes, ...others]), [count, -1]);
  while (rows.shape[0] > 1) {
    const half = Math.floor(rows.shape[0] / 2);
    const part = (start: number, end: number): Value => slice(rows, [{ axis: 0, start, end }]);
    const product = mul(part(0, half), part(half, 2 * half));
    rows = rows.shape[0] % 2 === 0 ? product : concat([product, part(2 * half, rows.shape[0])], 0);
  }
  return [reshape(rows, shape)];
}

export const reduce: RuleFamily = {
  ReduceSum: reduction(total, ({ g }) => g),
  ReduceMean: reduction(
    (group) => total(group) / group.length,
    ({ g, count }) => mul(g, 1 / count),
  ),
  ReduceSumSquare: reduction(sumOfSquares, ({ g, x }) => mul(x, mul(g, 2))),
  ReduceMax: reduction(largest, sharedGradient),
  ReduceMin: reduction(smallest, sharedGradient),
  ReduceProd: { ...reduction((group) => group.reduce((a, b) => a * b, 1)), expand: productOfHalves },
  ReduceL1: reduction(
    (group) => total(group.map(Math.abs)),
    ({ g, x }) => mul(g, sign(x)),
  ),
  // x / y, and 0 at the zero vector.
  ReduceL2: reduction(
    (group) => Math.sqrt(sumOfSquares(group)),
    ({ g, x, y }) => mul(x, div(g, where(equal(y, 0), 1, y))),
  ),
  ReduceLogSum: reduction(
    (group) => Math.log(total(group)),
    ({ g, y }) => div(g, exp(y)),
  ),
  ReduceLogSumExp: reduction(logSumExp, ({ g, x, y }) => mul(g, exp(sub(x, y)))),
};
