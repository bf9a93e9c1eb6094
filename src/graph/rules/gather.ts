import { sizeOf } from "../../base/tensor.ts";
import { int, intOf, string } from "../attributes.ts";
import { concat, expand, reshape } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, RuleFamily } from "../rule.ts";
import { axisOf, check, generate, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";

function axisIn(site: CallSite, shape: readonly number[]): number {
  return axisOf(site, intOf(site, "axis", 0), shape.length);
}

/** An index as a non-negative one. Throws UsageError for one that is out of range. */
export function wrapped(site: CallSite, index: number, dim: number): number {
  check(site, index >= -dim && index < dim, () => `the index ${index} is beyond an axis of ${dim}`);
  return index < 0 ? index + dim : index;
}

const zerosLike = (x: Value): Value => expand(x.builder.literal(0, x.dtype), x.shape);

/** Zeros of x's shape with `updates` added at `places` along `axis`. */
export function scatterAdd(x: Value, places: Value, updates: Value, axis: number): Value {
  return x.builder.apply("ScatterElements", [zerosLike(x), places, updates], {
    attributes: { axis: int(axis), reduction: string("add") },
  })[0];
}

/** Transpose of Gather: pieces of g added where they came from. */
function gatherGradient({ site, inputs: [x, indices], gradients: [g] }: GradientCall): (Value | null)[] {
  const axis = axisIn(site, x!.shape);
  const count = sizeOf(indices!.shape);
  // As ScatterElements wants it: one axis for all indices, and an index for every element.
  const flat = [...x!.shape.slice(0, axis), count, ...x!.shape.slice(axis + 1)];
  const column = flat.map((_, i) => (i === axis ? count : 1));
  const places = expand(reshape(indices!, column), flat);
  return [scatterAdd(x!, places, reshape(g!, flat), axis), null];
}

/** The flat index in `shape` that each element of `places` points to. */
export function pointed(site: CallSite, places: HostInput, shape: readonly number[], axis: number): number[] {
  const [own, strides] = [stridesOf(places.shape), stridesOf(shape)];
  return Array.from(places.numbers, (place, i) =>
    places.shape.reduce((index, dim, k) => {
      const at = k === axis ? wrapped(site, place, shape[axis]) : Math.floor(i / own[k]) % dim;
      return index + at * strides[k];
    }, 0),
  );
}

/** Throws UsageError unless `places` can point into x along its axis. */
export function checkPlaces(site: CallSite, x: readonly number[], places: readonly number[]): void {
  const axis = axisIn(site, x);
  const fits = places.length === x.length && places.every((dim, i) => i === axis || dim <= x[i]);
  check(site, fits, () => `indices of [${places.join(", ")}] into [${x.join(", ")}]`);
}

// --- GatherND: the last axis of the indices counts along the axes of x behind the batch.

interface Pieces {
  /** Tuples of indices in all; of each batch entry; and elements that each picks. */
  readonly count: number;
  readonly perBatch: number;
  readonly size: number;
  readonly shape: readonly number[];
}

/** What index tuples of this shape pick from x. */
export function piecesOf(site: CallSite, x: readonly number[], indices: readonly number[]): Pieces {
  const batch = intOf(site, "batch_dims", 0);
  const length = indices[indices.length - 1];
  const fits =
    indices.length > batch &&
    batch + length <= x.length &&
    indices.slice(0, batch).every((dim, i) => dim === x[i]);
  check(site, fits, () => `index tuples of [${indices.join(", ")}] into [${x.join(", ")}]`);
  const rest = x.slice(batch + length);
  const count = sizeOf(indices.slice(0, -1));
  return {
    count,
    perBatch: sizeOf(indices.slice(batch, -1)),
    size: sizeOf(rest),
    shape: [...indices.slice(0, -1), ...rest],
  };
}

/** The flat index in x of the first element that each tuple picks. */
export function pointedPieces(site: CallSite, x: readonly number[], indices: HostInput): number[] {
  const batch = intOf(site, "batch_dims", 0);
  const length = indices.shape[indices.shape.length - 1];
  const { count, perBatch } = piecesOf(site, x, indices.shape);
  const strides = stridesOf(x);
  const batchStride = sizeOf(x.slice(batch));
  return Array.from({ length: count }, (_, tuple) => {
    let at = Math.floor(tuple / perBatch) * batchStride;
    for (let k = 0; k < length; k++)
      at += wrapped(site, indices.numbers[tuple * length + k], x[batch + k]) * strides[batch + k];
    return at;
  });
}

/** Index tuples with the position in the batch in front, as ScatterND wants them. */
function withBatch(indices: Value, batch: number): Value {
  const { builder, shape } = indices;
  const column = [...shape.slice(0, -1), 1];
  const positions = column.slice(0, batch).map((dim, axis) => {
    const steps = builder.literal(
      Array.from({ length: dim }, (_, i) => i),
      indices.dtype,
    );
    return expand(
      reshape(
        steps,
        column.map((_, i) => (i === axis ? dim : 1)),
      ),
      column,
    );
  });
  return concat([...positions, indices], shape.length - 1);
}

export const gathering: RuleFamily = {
  Gather: {
    infer: (site, [x, indices]) => {
      const axis = axisIn(site, x!.shape);
      const shape = [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)];
      return [{ dtype: x!.dtype, shape }];
    },
    gradient: gatherGradient,
    evaluate: (site, [x, indices], [{ shape }]) => {
      const axis = axisIn(site, x!.shape);
      const [dim, inner] = [x!.shape[axis], sizeOf(x!.shape.slice(axis + 1))];
      const rows = Array.from(indices!.numbers, (index) => wrapped(site, index, dim));
      return [
        generate(shape, (i) => {
          const outer = Math.floor(i / (inner * rows.length));
          const row = rows[Math.floor(i / inner) % rows.length];
          return x!.numbers[(outer * dim + row) * inner + (i % inner)];
        }),
      ];
    },
  },
  GatherElements: {
    infer: (site, [x, places]) => {
      checkPlaces(site, x!.shape, places!.shape);
      return [{ dtype: x!.dtype, shape: places!.shape }];
    },
    gradient: ({ site, inputs: [x, places], gradients: [g] }) => [
      scatterAdd(x!, places!, g!, axisIn(site, x!.shape)),
      null,
    ],
    evaluate: (site, [x, places]) => [
      pointed(site, places!, x!.shape, axisIn(site, x!.shape)).map((at) => x!.numbers[at]),
    ],
  },
  GatherND: {
    infer: (site, [x, indices]) => [
      { dtype: x!.dtype, shape: piecesOf(site, x!.shape, indices!.shape).shape },
    ],
    gradient: ({ site, inputs: [x, indices], gradients: [g] }) => {
      const tuples = withBatch(indices!, intOf(site, "batch_dims", 0));
      const attributes = { reduction: string("add") };
      return [x!.builder.apply("ScatterND", [zerosLike(x!), tuples, g], { attributes })[0], null];
    },
    evaluate: (site, [x, indices], [{ shape }]) => {
      const { size } = piecesOf(site, x!.shape, indices!.shape);
      const starts = pointedPieces(site, x!.shape, indices!);
      return [generate(shape, (i) => x!.numbers[starts[Math.floor(i / size)] + (i % size)])];
    },
  },
};
