import { sizeOf } from "../../base/tensor.ts";
import { int, intOf, intsOf } from "../attributes.ts";
import { dataOf, numbersOf } from "../constant.ts";
import type { Constant } from "../graph.ts";
import type { CallSite, GradientCall, Rule, RuleFamily } from "../rule.ts";
import { axisOf, knownNumbers, sameShape } from "../shapes.ts";
import type { Value } from "../value.ts";
import { broadcastIndex, cast, div, equal, exp, mul, sub } from "./elementwise.ts";
import { reshape } from "./reshape.ts";

interface ReduceOptions {
  /** Keep reduced axes with length 1. Default false. */
  readonly keep?: boolean;
}

/** Sum over `axes`. */
export const reduceSum = (x: Value, axes: readonly number[], options?: ReduceOptions): Value =>
  reduceBy("ReduceSum", x, axes, options);
/** Mean over `axes`. */
export const reduceMean = (x: Value, axes: readonly number[], options?: ReduceOptions): Value =>
  reduceBy("ReduceMean", x, axes, options);
/** Sum of squares over `axes`. */
export const reduceSumSquare = (x: Value, axes: readonly number[], options?: ReduceOptions): Value =>
  reduceBy("ReduceSumSquare", x, axes, options);
/** Largest element over `axes`. Its gradient is shared equally among ties. */
export const reduceMax = (x: Value, axes: readonly number[], options?: ReduceOptions): Value =>
  reduceBy("ReduceMax", x, axes, options);
/** log of the sum of exponentials over `axes`. */
export const reduceLogSumExp = (x: Value, axes: readonly number[], options?: ReduceOptions): Value =>
  reduceBy("ReduceLogSumExp", x, axes, options);

function reduceBy(op: string, x: Value, axes: readonly number[], { keep = false }: ReduceOptions = {}): Value {
  const axesInput = x.builder.literal(
    axes.map((axis) => axisOf(axis, x.shape.length)),
    "int64",
  );
  return x.builder.apply(op, [x, axesInput], { attributes: { keepdims: int(keep ? 1 : 0) } })[0];
}

/** Sums a broadcast value back to `shape`: the transpose of broadcasting. */
export function sumTo(x: Value, shape: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  if (lead < 0) return x; // a gradient that still has to be broadcast to `shape`
  const axes = x.shape.flatMap((dim, i) => (i < lead || (shape[i - lead] === 1 && dim !== 1) ? [i] : []));
  const summed = axes.length === 0 ? x : reduceSum(x, axes, { keep: true });
  return lead === 0 ? summed : reshape(summed, summed.shape.slice(lead));
}

interface Reduction {
  readonly axes: readonly number[];
  /** The output's shape with reduced axes kept as 1. */
  readonly kept: readonly number[];
  readonly shape: readonly number[];
  /** Elements reduced into one. */
  readonly count: number;
}

function reductionOf(site: CallSite, inputShape: readonly number[], given: readonly number[] | null): Reduction {
  const rank = inputShape.length;
  let axes = (given ?? intsOf(site, "axes", [])).map((axis) => axisOf(axis, rank));
  const keep = intOf(site, "keepdims", 1) === 1;
  if (axes.length === 0) {
    if (intOf(site, "noop_with_empty_axes", 0) === 1) return { axes, kept: inputShape, shape: inputShape, count: 1 };
    axes = inputShape.map((_, i) => i);
  }
  const kept = inputShape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const shape = keep ? kept : inputShape.filter((_, i) => !axes.includes(i));
  return { axes, kept, shape, count: axes.reduce((n, i) => n * inputShape[i], 1) };
}

type ReduceGradient = (site: { g: Value; x: Value; y: Value; count: number; kept: readonly number[] }) => Value;

function reduceRule(fold: (group: number[]) => number, gradient: ReduceGradient): Rule {
  return {
    infer: (site, [x, axes]) => {
      const { shape } = reductionOf(site, x!.shape, knownNumbers(site, axes, "axes"));
      return [{ dtype: x!.dtype, shape }];
    },
    gradient: (site: GradientCall) => {
      const [x, axes] = site.inputs;
      const callSite = { ...site.call, outputCount: 1, opset: x!.builder.opset };
      const { kept, count } = reductionOf(callSite, x!.shape, knownNumbers(callSite, axes, "axes"));
      const g = reshape(site.gradients[0]!, kept);
      const y = reshape(site.outputs[0], kept);
      return [gradient({ g, x: x!, y, count, kept }), null];
    },
    evaluate: (site, [x, axes]) => [evaluateReduction(site, x!, axes ?? null, fold)],
  };
}

function evaluateReduction(
  site: CallSite,
  x: Constant,
  axes: Constant | null,
  fold: (group: number[]) => number,
): Constant {
  const { kept, shape } = reductionOf(site, x.shape, axes ? Array.from(numbersOf(axes)) : null);
  const groups: number[][] = Array.from({ length: sizeOf(kept) }, () => []);
  const index = broadcastIndex(kept, x.shape);
  numbersOf(x).forEach((value, i) => groups[index(i)].push(value));
  return { dtype: x.dtype, shape, data: dataOf(x.dtype, groups.map(fold)) };
}

const total = (group: number[]): number => group.reduce((a, b) => a + b, 0);

export const reduce: RuleFamily = {
  ReduceSum: reduceRule(total, ({ g }) => g),
  ReduceMean: reduceRule(
    (group) => total(group) / group.length,
    ({ g, count }) => mul(g, 1 / count),
  ),
  ReduceSumSquare: reduceRule(
    (group) => total(group.map((x) => x * x)),
    ({ g, x }) => mul(x, mul(g, 2)),
  ),
  ReduceMax: reduceRule(
    (group) => Math.max(...group),
    ({ g, x, y, kept }) => {
      const ties = cast(equal(x, y), x.dtype);
      return mul(ties, div(g, sumTo(ties, kept)));
    },
  ),
  ReduceLogSumExp: reduceRule(
    (group) => {
      const top = Math.max(...group);
      return top + Math.log(total(group.map((x) => Math.exp(x - top))));
    },
    ({ g, x, y }) => mul(g, exp(sub(x, y))),
  ),
};
