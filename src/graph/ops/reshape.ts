import { int, ints } from "../attributes.ts";
import { axisOf, permutationOf, resolveShape, sameShape } from "../shapes.ts";
import type { Value } from "../value.ts";

// These move elements and compute nothing.

/** The same elements in another shape; one dimension may be -1. */
export function reshape(x: Value, shape: readonly number[]): Value {
  const target = resolveShape({ name: "reshape" }, x.shape, shape, false);
  if (sameShape(target, x.shape)) return x;
  // A reshape of a reshape is one reshape.
  if (x.call?.op === "Reshape") return reshape(x.call.inputs[0]!, target);
  return x.builder.apply("Reshape", [x, x.builder.literal(target, "int64")])[0];
}

/** Axes in another order: out.shape[i] = x.shape[order[i]]. */
export function transpose(x: Value, order: readonly number[]): Value {
  if (order.every((axis, i) => axis === i)) return x;
  if (x.call?.op === "Transpose") {
    const inner = permutationOf(x.call, x.shape.length);
    return transpose(
      x.call.inputs[0]!,
      order.map((axis) => inner[axis]),
    );
  }
  return x.builder.apply("Transpose", [x], { attributes: { perm: ints(order) } })[0];
}

/** The last two axes exchanged. */
export function swapLast(x: Value): Value {
  const rank = x.shape.length;
  const order = x.shape.map((_, i) => i);
  [order[rank - 2], order[rank - 1]] = [rank - 1, rank - 2];
  return transpose(x, order);
}

/** x repeated along axes of length 1 (and new leading axes) until it has `shape`. */
export function expand(x: Value, shape: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  return x.builder.apply("Expand", [x, x.builder.literal(shape, "int64")])[0];
}

/** Values joined along `axis`. */
export function concat(values: readonly Value[], axis: number): Value {
  if (values.length === 1) return values[0];
  const positive = axisOf({ name: "concat" }, axis, values[0].shape.length);
  return values[0].builder.apply("Concat", values, { attributes: { axis: int(positive) } })[0];
}

/** x cut along `axis` into pieces of the given sizes. */
export function split(x: Value, axis: number, sizes: readonly number[]): readonly Value[] {
  const positive = axisOf({ name: "split" }, axis, x.shape.length);
  if (sizes.length === 1) return [x];
  return x.builder.apply("Split", [x, x.builder.literal(sizes, "int64")], {
    attributes: { axis: int(positive) },
    outputs: sizes.length,
  });
}
