import { sizeOf } from "../../base/tensor.ts";
import { intOf } from "../attributes.ts";
import { sumTo } from "../ops/reduce.ts";
import { concat, expand, reshape, split, transpose } from "../ops/reshape.ts";
import type { CallSite, GradientCall, InferredType, Rule, RuleFamily, RuleInput } from "../rule.ts";
import {
  affineIndex,
  axisOf,
  broadcastIndex,
  broadcastShapes,
  check,
  generate,
  knownNumbers,
  permutationOf,
  resolveShape,
  stridesOf,
} from "../shapes.ts";
import type { Value } from "../value.ts";

/** An operator that only changes the shape. */
function reshaping(
  shapeOf: (site: CallSite, inputs: readonly (RuleInput | null)[]) => readonly number[],
): Rule {
  return {
    infer: (site, inputs) => [{ dtype: inputs[0]!.dtype, shape: shapeOf(site, inputs) }],
    gradient: ({ inputs, gradients: [g] }) => inputs.map((x, i) => (i === 0 ? reshape(g!, x!.shape) : null)),
    evaluate: (_, [x]) => [x!.numbers],
  };
}

function flattened(site: CallSite, shape: readonly number[]): number[] {
  const axis = intOf(site, "axis", 1);
  const cut = axis === shape.length ? axis : axisOf(site, axis, shape.length);
  return [sizeOf(shape.slice(0, cut)), sizeOf(shape.slice(cut))];
}

function squeezed(site: CallSite, shape: readonly number[], axes: readonly number[] | null): number[] {
  const drop = axes?.map((axis) => axisOf(site, axis, shape.length));
  const wrong = drop?.find((axis) => shape[axis] !== 1);
  check(site, wrong === undefined, () => `axis ${wrong} of [${shape.join(", ")}] is not 1`);
  return shape.filter((dim, i) => (drop ? !drop.includes(i) : dim !== 1));
}

function unsqueezed(site: CallSite, shape: readonly number[], axes: readonly number[]): number[] {
  const rank = shape.length + axes.length;
  const at = axes.map((axis) => axisOf(site, axis, rank));
  let next = 0;
  return Array.from({ length: rank }, (_, i) => (at.includes(i) ? 1 : shape[next++]));
}

function inverse(order: readonly number[]): number[] {
  const out = new Array<number>(order.length);
  order.forEach((axis, i) => (out[axis] = i));
  return out;
}

function joinedShape(site: CallSite, values: readonly (InferredType | null)[]): number[] {
  const first = values[0]!;
  const axis = axisOf(site, intOf(site, "axis", 0), first.shape.length);
  for (const value of values) {
    const { dtype, shape } = value!;
    check(
      site,
      dtype === first.dtype &&
        shape.length === first.shape.length &&
        shape.every((dim, i) => i === axis || dim === first.shape[i]),
      () => `[${first.shape.join(", ")}] and [${shape.join(", ")}] cannot be joined along axis ${axis}`,
    );
  }
  return first.shape.map((dim, i) =>
    i === axis ? values.reduce((n, value) => n + value!.shape[axis], 0) : dim,
  );
}

function splitSizes(
  site: CallSite,
  x: readonly number[],
  axis: number,
  given: readonly number[] | null,
): number[] {
  const total = x[axis];
  if (given) {
    check(site, sum(given) === total, () => `pieces [${given.join(", ")}] do not add up to ${total}`);
    return [...given];
  }
  const size = Math.ceil(total / site.outputCount);
  return Array.from({ length: site.outputCount }, (_, i) => Math.min(size, total - i * size));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

function splitGradient({ site, inputs: [x], outputs, gradients }: GradientCall): (Value | null)[] {
  const axis = axisOf(site, intOf(site, "axis", 0), x!.shape.length);
  const parts = outputs.map((y, i) => gradients[i] ?? expand(y.builder.literal(0, y.dtype), y.shape));
  return [concat(parts, axis), null];
}

export const reshapeFamily: RuleFamily = {
  Reshape: reshaping((site, [x, shape]) =>
    resolveShape(site, x!.shape, knownNumbers(site, shape, "sizes")!, intOf(site, "allowzero", 0) === 1),
  ),
  Flatten: reshaping((site, [x]) => flattened(site, x!.shape)),
  Squeeze: reshaping((site, [x, axes]) => squeezed(site, x!.shape, knownNumbers(site, axes, "axes"))),
  Unsqueeze: reshaping((site, [x, axes]) => unsqueezed(site, x!.shape, knownNumbers(site, axes, "axes")!)),
  Transpose: {
    infer: (site, [x]) => [
      { dtype: x!.dtype, shape: permutationOf(site, x!.shape.length).map((axis) => x!.shape[axis]) },
    ],
    gradient: ({ site, inputs: [x], gradients: [g] }) => [
      transpose(g!, inverse(permutationOf(site, x!.shape.length))),
    ],
    evaluate: (site, [x], [{ shape }]) => {
      const strides = stridesOf(x!.shape);
      const steps = permutationOf(site, x!.shape.length).map((axis) => strides[axis]);
      const index = affineIndex(shape, steps);
      return [generate(shape, (i) => x!.numbers[index(i)])];
    },
  },
  Expand: {
    infer: (site, [x, shape]) => [
      { dtype: x!.dtype, shape: broadcastShapes(site, x!.shape, knownNumbers(site, shape, "sizes")!) },
    ],
    gradient: ({ inputs: [x], gradients: [g] }) => [sumTo(g!, x!.shape), null],
    evaluate: (_, [x], [{ shape }]) => {
      const index = broadcastIndex(x!.shape, shape);
      return [generate(shape, (i) => x!.numbers[index(i)])];
    },
  },
  Concat: {
    infer: (site, values) => [{ dtype: values[0]!.dtype, shape: joinedShape(site, values) }],
    gradient: ({ site, inputs, gradients: [g] }) => {
      const axis = axisOf(site, intOf(site, "axis", 0), g!.shape.length);
      const sizes = inputs.map((x) => x!.shape[axis]);
      return split(g!, axis, sizes);
    },
    evaluate: (site, parts, [{ shape }]) => {
      // Each part is cut into as many runs as there are positions in front of the axis.
      const outer = sizeOf(shape.slice(0, axisOf(site, intOf(site, "axis", 0), shape.length)));
      const out: number[] = [];
      for (let o = 0; o < outer; o++) {
        for (const part of parts) {
          const run = part!.numbers.length / outer;
          for (let i = o * run; i < (o + 1) * run; i++) out.push(part!.numbers[i]);
        }
      }
      return [out];
    },
  },
  Split: {
    infer: (site, [x, sizes]) => {
      const axis = axisOf(site, intOf(site, "axis", 0), x!.shape.length);
      return splitSizes(site, x!.shape, axis, knownNumbers(site, sizes, "sizes")).map((size) => ({
        dtype: x!.dtype,
        shape: x!.shape.map((dim, i) => (i === axis ? size : dim)),
      }));
    },
    gradient: splitGradient,
    evaluate: (site, [x], types) => {
      const strides = stridesOf(x!.shape);
      const axis = axisOf(site, intOf(site, "axis", 0), x!.shape.length);
      let start = 0;
      return types.map(({ shape }) => {
        const index = affineIndex(shape, strides, start * strides[axis]);
        start += shape[axis];
        return generate(shape, (i) => x!.numbers[index(i)]);
      });
    },
  },
};
