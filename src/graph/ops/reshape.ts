import { sizeOf } from "../../base/tensor.ts";
import { int, intOf, ints, intsOf } from "../attributes.ts";
import { dataOf, numbersOf } from "../constant.ts";
import type { Constant } from "../graph.ts";
import type { CallSite, GradientCall, RuleFamily } from "../rule.ts";
import { axisOf, broadcastShapes, check, knownNumbers, sameShape, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";
import { broadcastIndex } from "./elementwise.ts";
import { sumTo } from "./reduce.ts";

// --- Traced functions. These move elements and compute nothing.

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
    const inner = permutationOf(x.call, x.call.inputs[0]!.shape.length);
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
  const positive = axisOf(axis, values[0].shape.length);
  return values[0].builder.apply("Concat", values, { attributes: { axis: int(positive) } })[0];
}

/** x cut along `axis` into pieces of the given sizes. */
export function split(x: Value, axis: number, sizes: readonly number[]): readonly Value[] {
  const positive = axisOf(axis, x.shape.length);
  if (sizes.length === 1) return [x];
  return x.builder.apply("Split", [x, x.builder.literal(sizes, "int64")], {
    attributes: { axis: int(positive) },
    outputs: sizes.length,
  });
}

// --- Rules.

function resolveShape(
  site: { name: string },
  from: readonly number[],
  wanted: readonly number[],
  allowZero: boolean,
): number[] {
  const shape = wanted.map((dim, i) => (dim === 0 && !allowZero ? from[i] : dim));
  const known = shape.filter((dim) => dim !== -1).reduce((a, b) => a * b, 1);
  const total = sizeOf(from);
  const resolved = shape.map((dim) => (dim === -1 ? total / known : dim));
  check(
    site,
    sizeOf(resolved) === total && resolved.every(Number.isInteger),
    () => `[${from.join(", ")}] cannot be reshaped to [${wanted.join(", ")}]`,
  );
  return resolved;
}

function permutationOf(site: Pick<CallSite, "attributes" | "name">, rank: number): readonly number[] {
  return intsOf(
    site,
    "perm",
    Array.from({ length: rank }, (_, i) => rank - 1 - i),
  );
}

function inverse(order: readonly number[]): number[] {
  const out = new Array<number>(order.length);
  order.forEach((axis, i) => (out[axis] = i));
  return out;
}

function splitSizes(site: CallSite, x: readonly number[], sizes: readonly number[] | null): number[] {
  const axis = axisOf(intOf(site, "axis", 0), x.length);
  const given = sizes ?? intsOf(site, "split", []);
  if (given.length > 0) {
    check(site, given.reduce((a, b) => a + b, 0) === x[axis], () => `pieces [${given.join(", ")}] do not add up to ${x[axis]}`);
    return [...given];
  }
  const size = Math.ceil(x[axis] / site.outputCount);
  return Array.from({ length: site.outputCount }, (_, i) => Math.min(size, x[axis] - i * size));
}

const axesOf = (site: CallSite, axes: Value | null | undefined): readonly number[] | null =>
  knownNumbers(site, axes, "axes") ?? (site.attributes.axes ? intsOf(site, "axes", []) : null);

function squeezed(shape: readonly number[], axes: readonly number[] | null): number[] {
  const drop = axes?.map((axis) => axisOf(axis, shape.length));
  return shape.filter((dim, i) => (drop ? !drop.includes(i) : dim !== 1));
}

function unsqueezed(shape: readonly number[], axes: readonly number[]): number[] {
  const rank = shape.length + axes.length;
  const at = axes.map((axis) => axisOf(axis, rank));
  let next = 0;
  return Array.from({ length: rank }, (_, i) => (at.includes(i) ? 1 : shape[next++]));
}

function flattened(site: CallSite, shape: readonly number[]): number[] {
  const axis = axisOf(intOf(site, "axis", 1), shape.length);
  return [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))];
}

/** Gradient of everything that only changes the shape. */
function reshapeBack({ inputs, gradients }: GradientCall): (Value | null)[] {
  return inputs.map((x, i) => (i === 0 ? reshape(gradients[0]!, x!.shape) : null));
}

const withShape = (x: Constant, shape: readonly number[]): readonly Constant[] => [{ ...x, shape }];
const numbers = (x: Constant | null | undefined): number[] | null => (x ? Array.from(numbersOf(x)) : null);

/** Elements picked by flat index. */
export function pick(x: Constant, shape: readonly number[], index: (i: number) => number): Constant {
  const source = numbersOf(x);
  return { dtype: x.dtype, shape, data: dataOf(x.dtype, Float64Array.from({ length: sizeOf(shape) }, (_, i) => source[index(i)])) };
}

function evaluateTranspose(x: Constant, order: readonly number[]): Constant {
  const shape = order.map((axis) => x.shape[axis]);
  const [source, target] = [stridesOf(x.shape), stridesOf(shape)];
  return pick(x, shape, (i) =>
    order.reduce((index, axis, k) => index + (Math.floor(i / target[k]) % shape[k]) * source[axis], 0),
  );
}

function evaluateConcat(site: CallSite, parts: readonly Constant[]): Constant {
  const axis = axisOf(intOf(site, "axis", 0), parts[0].shape.length);
  const shape = parts[0].shape.map((dim, i) => (i === axis ? parts.reduce((n, part) => n + part.shape[axis], 0) : dim));
  const outer = sizeOf(shape.slice(0, axis));
  const out: number[] = [];
  const lists = parts.map((part) => Array.from(numbersOf(part)));
  for (let o = 0; o < outer; o++) {
    for (const list of lists) out.push(...list.slice((o * list.length) / outer, ((o + 1) * list.length) / outer));
  }
  return { dtype: parts[0].dtype, shape, data: dataOf(parts[0].dtype, out) };
}

export function evaluateCut(x: Constant, axis: number, start: number, size: number): Constant {
  const shape = x.shape.map((dim, i) => (i === axis ? size : dim));
  const inner = sizeOf(x.shape.slice(axis + 1));
  return pick(x, shape, (i) => {
    const outer = Math.floor(i / (size * inner));
    return outer * x.shape[axis] * inner + start * inner + (i % (size * inner));
  });
}

export const reshapeFamily: RuleFamily = {
  Reshape: {
    infer: (site, [x, shape]) => [
      {
        dtype: x!.dtype,
        shape: resolveShape(site, x!.shape, knownNumbers(site, shape, "sizes")!, intOf(site, "allowzero", 0) === 1),
      },
    ],
    gradient: reshapeBack,
    evaluate: (site, [x, shape]) => withShape(x!, resolveShape(site, x!.shape, numbers(shape)!, false)),
  },
  Flatten: {
    infer: (site, [x]) => [{ dtype: x!.dtype, shape: flattened(site, x!.shape) }],
    gradient: reshapeBack,
    evaluate: (site, [x]) => withShape(x!, flattened(site, x!.shape)),
  },
  Squeeze: {
    infer: (site, [x, axes]) => [{ dtype: x!.dtype, shape: squeezed(x!.shape, axesOf(site, axes)) }],
    gradient: reshapeBack,
    evaluate: (_, [x, axes]) => withShape(x!, squeezed(x!.shape, numbers(axes))),
  },
  Unsqueeze: {
    infer: (site, [x, axes]) => [{ dtype: x!.dtype, shape: unsqueezed(x!.shape, axesOf(site, axes)!) }],
    gradient: reshapeBack,
    evaluate: (site, [x, axes]) => withShape(x!, unsqueezed(x!.shape, numbers(axes) ?? intsOf(site, "axes", []))),
  },
  Transpose: {
    infer: (site, [x]) => [
      { dtype: x!.dtype, shape: permutationOf(site, x!.shape.length).map((axis) => x!.shape[axis]) },
    ],
    gradient: ({ call, inputs: [x], gradients: [g] }) => [
      transpose(g!, inverse(permutationOf(call, x!.shape.length))),
    ],
    evaluate: (site, [x]) => [evaluateTranspose(x!, permutationOf(site, x!.shape.length))],
  },
  Expand: {
    infer: (site, [x, shape]) => [
      { dtype: x!.dtype, shape: broadcastShapes(site, x!.shape, knownNumbers(site, shape, "sizes")!) },
    ],
    gradient: ({ inputs: [x], gradients: [g] }) => [sumTo(g!, x!.shape), null],
    evaluate: (site, [x, shape]) => {
      const target = broadcastShapes(site, x!.shape, numbers(shape)!);
      return [pick(x!, target, broadcastIndex(x!.shape, target))];
    },
  },
  Concat: {
    infer: (site, values) => {
      const axis = axisOf(intOf(site, "axis", 0), values[0]!.shape.length);
      const first = values[0]!.shape;
      for (const value of values) {
        check(
          site,
          value!.shape.length === first.length && value!.shape.every((dim, i) => i === axis || dim === first[i]),
          () => `[${first.join(", ")}] and [${value!.shape.join(", ")}] cannot be joined along axis ${axis}`,
        );
      }
      const joined = values.reduce((n, value) => n + value!.shape[axis], 0);
      return [{ dtype: values[0]!.dtype, shape: first.map((dim, i) => (i === axis ? joined : dim)) }];
    },
    gradient: ({ call, inputs, gradients: [g] }) => {
      const axis = axisOf(intOf(call, "axis", 0), g!.shape.length);
      return split(
        g!,
        axis,
        inputs.map((x) => x!.shape[axis]),
      );
    },
    evaluate: (site, parts) => [evaluateConcat(site, parts as Constant[])],
  },
  Split: {
    infer: (site, [x, sizes]) => {
      const axis = axisOf(intOf(site, "axis", 0), x!.shape.length);
      return splitSizes(site, x!.shape, knownNumbers(site, sizes, "sizes")).map((size) => ({
        dtype: x!.dtype,
        shape: x!.shape.map((dim, i) => (i === axis ? size : dim)),
      }));
    },
    gradient: ({ call, inputs: [x], outputs, gradients }) => {
      const parts = outputs.map((y, i) => gradients[i] ?? expand(y.builder.literal(0, y.dtype), y.shape));
      return [concat(parts, axisOf(intOf(call, "axis", 0), x!.shape.length)), null];
    },
    evaluate: (site, [x, sizes]) => {
      const axis = axisOf(intOf(site, "axis", 0), x!.shape.length);
      let start = 0;
      return splitSizes(site, x!.shape, numbers(sizes)).map((size) => {
        start += size;
        return evaluateCut(x!, axis, start - size, size);
      });
    },
  },
};
