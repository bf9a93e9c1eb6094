import { int } from "../attributes.ts";
import { axisOf, sameShape } from "../shapes.ts";
import type { Value } from "../value.ts";
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

function reduceBy(
  op: string,
  x: Value,
  axes: readonly number[],
  { keep = false }: ReduceOptions = {},
): Value {
  const axesInput = x.builder.literal(
    axes.map((axis) => axisOf({ name: op }, axis, x.shape.length)),
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
