import { sizeOf } from "../../base/tensor.ts";
import { int, intOf, string, stringOf } from "../attributes.ts";
import { constantOf } from "../constant.ts";
import { expand } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, RuleFamily } from "../rule.ts";
import { axisOf, check, generate, knownNumbers, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";

function axisIn(site: CallSite, shape: readonly number[]): number {
  return axisOf(site, intOf(site, "axis", 0), shape.length);
}

/** Transpose of Gather: pieces of g added where they came from. */
function gatherGradient({ site, inputs: [x, indices], gradients: [g] }: GradientCall): (Value | null)[] {
  const { builder, shape } = x!;
  const axis = axisIn(site, shape);
  const count = sizeOf(indices!.shape);
  // As ScatterElements wants it: one axis for all indices, and an index for every element.
  const flat = [...shape.slice(0, axis), count, ...shape.slice(axis + 1)];
  const column = flat.map((_, i) => (i === axis ? count : 1));
  const updates = builder.apply("Reshape", [g!, builder.literal(flat, "int64")])[0];
  const places = builder.apply("Reshape", [indices!, builder.literal(column, "int64")])[0];
  return [scatterAdd(x!, expand(places, flat), updates, axis), null];
}

/** Zeros of x's shape with `updates` added at `places`. */
function scatterAdd(x: Value, places: Value, updates: Value, axis: number): Value {
  const zeros = expand(x.builder.literal(0, x.dtype), x.shape);
  return x.builder.apply("ScatterElements", [zeros, places, updates], {
    attributes: { axis: int(axis), reduction: string("add") },
  })[0];
}

function scatterGradient({
  site,
  inputs: [, places],
  gradients: [g],
  wanted,
}: GradientCall): (Value | null)[] {
  const axis = axisIn(site, g!.shape);
  const attributes = { axis: int(axis) };
  const { builder } = g!;
  const read = wanted[2] ? builder.apply("GatherElements", [g!, places], { attributes })[0] : null;
  if (adds(site)) return [wanted[0] ? g : null, null, read];
  // What was overwritten has no gradient.
  const none = expand(builder.literal(0, g!.dtype), places!.shape);
  return [
    wanted[0] ? builder.apply("ScatterElements", [g!, places, none], { attributes })[0] : null,
    null,
    read,
  ];
}

function adds(site: CallSite): boolean {
  const reduction = stringOf(site, "reduction", "none");
  check(
    site,
    ["none", "add"].includes(reduction),
    () => `ScatterElements has no rule for the reduction ${reduction}`,
  );
  return reduction === "add";
}

/** The flat index in `shape` that each element of `places` points to. */
function pointed(places: HostInput, shape: readonly number[], axis: number): number[] {
  const [own, strides] = [stridesOf(places.shape), stridesOf(shape)];
  return Array.from(places.numbers, (place, i) =>
    places.shape.reduce((index, dim, k) => {
      const at = k === axis ? wrapped(place, shape[axis]) : Math.floor(i / own[k]) % dim;
      return index + at * strides[k];
    }, 0),
  );
}

const wrapped = (index: number, dim: number): number => (index < 0 ? index + dim : index);

export const indexing: RuleFamily = {
  Gather: {
    infer: (site, [x, indices]) => {
      const axis = axisIn(site, x!.shape);
      const shape = [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)];
      return [{ dtype: x!.dtype, shape }];
    },
    gradient: gatherGradient,
    evaluate: (site, [x, indices], [{ shape }]) => {
      const axis = axisIn(site, x!.shape);
      const [dim, inner, count] = [x!.shape[axis], sizeOf(x!.shape.slice(axis + 1)), indices!.numbers.length];
      return [
        generate(shape, (i) => {
          const outer = Math.floor(i / (inner * count));
          const which = wrapped(indices!.numbers[Math.floor(i / inner) % count], dim);
          return x!.numbers[(outer * dim + which) * inner + (i % inner)];
        }),
      ];
    },
  },
  GatherElements: {
    infer: (_, [x, places]) => [{ dtype: x!.dtype, shape: places!.shape }],
    gradient: ({ site, inputs: [x, places], gradients: [g] }) => [
      scatterAdd(x!, places!, g!, axisIn(site, x!.shape)),
      null,
    ],
    evaluate: (site, [x, places]) => [
      pointed(places!, x!.shape, axisIn(site, x!.shape)).map((at) => x!.numbers[at]),
    ],
  },
  ScatterElements: {
    infer: (_, [x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    gradient: scatterGradient,
    evaluate: (site, [x, places, updates]) => {
      const out = x!.numbers.slice();
      const add = adds(site);
      pointed(places!, x!.shape, axisIn(site, x!.shape)).forEach((at, i) => {
        out[at] = (add ? out[at] : 0) + updates!.numbers[i];
      });
      return [out];
    },
  },
  OneHot: {
    infer: (site, [indices, depth, values]) => {
      check(site, intOf(site, "axis", -1) === -1, () => "OneHot has a rule for the last axis only,");
      return [{ dtype: values!.dtype, shape: [...indices!.shape, knownNumbers(site, depth, "depth")![0]] }];
    },
    gradient: ({ site, wanted }) => {
      check(site, wanted[2] !== true, () => "OneHot has no gradient with respect to its values");
      return [null, null, null];
    },
    evaluate: (_, [indices, depth, values], [{ shape }]) => {
      const [off, on] = values!.numbers;
      const size = depth!.numbers[0];
      return [
        generate(shape, (i) => {
          const hot = wrapped(indices!.numbers[Math.floor(i / size)], size);
          return i % size === hot ? on : off;
        }),
      ];
    },
  },
  Shape: {
    infer: (site, [x]) => [{ dtype: "int64", shape: [shapePart(site, x!.shape).length] }],
    gradient: () => [null],
    fromShapes: (site, [x]) => {
      const part = shapePart(site, x!.shape);
      return [constantOf("int64", [part.length], part)];
    },
    evaluate: (site, [x]) => [shapePart(site, x!.shape)],
  },
};

function shapePart(site: CallSite, shape: readonly number[]): readonly number[] {
  return shape.slice(intOf(site, "start", 0), intOf(site, "end", shape.length));
}
