import { UsageError } from "../../base/errors.ts";
import { projectedQueries } from "../attention/queryChain.ts";
import { slice } from "../ops/indexing.ts";
import { matmul } from "../ops/linear.ts";
import { reduceMean } from "../ops/reduce.ts";
import { concat, expand, reshape } from "../ops/reshape.ts";
import type { Value } from "../value.ts";
import type { BlurQueries } from "./perturbation.ts";
import { type At, type Site, type Target, imagePart } from "./site.ts";
import { tokenGrid } from "./tokenGrid.ts";

/**
 * Queries blurred over the grid of tokens, for each channel: what the query projection gives (before norms and rotary
 * embeddings of queries, where there are any) is replaced by its mean over all tokens (sigma Infinity), or by a separable
 * Gaussian. Keys and values stay. In a joint attention only the image's queries.
 *
 * Source: Hong 2024 (arXiv:2408.00760), and the authors' code for the kernel's size and border.
 */
export function blurQueries(target: Target, how: BlurQueries): Site {
  const { structure, found } = target;
  const { scores } = structure;
  const projected = projectedQueries(structure, found.wiring);
  if (projected === null) {
    // Up to the scores all tokens are treated alike, so the operand can be blurred as well.
    const blurred = (input: Value): Value =>
      blur(target, how, input, scores.queryTokens + input.shape.length);
    const edit = (at: At): readonly Value[] =>
      at.compute(at.inputs.map((input, i) => (i === scores.queryInput ? blurred(input!) : input)));
    return { node: scores.node, edit };
  }
  const node = found.wiring.producer(projected);
  if (!node) {
    throw new UsageError(`the queries of the attention "${target.layer.name}" are an input: nothing to blur`);
  }
  const edit = (at: At): readonly Value[] =>
    at.compute(at.inputs).map((value, i) => {
      return node.outputs[i] === projected ? blur(target, how, value, tokenAxis(target, value)) : value;
    });
  return { node, edit };
}

/** Whether queries are blurred before they come to the operators of the attention: where they go through a norm on the way. */
export function blursOutside({ structure, found }: Target): boolean {
  return projectedQueries(structure, found.wiring) !== null;
}

/** The axis of [batch, tokens, channels], [batch, heads, tokens, size] or [batch, tokens, heads, size] that counts tokens. */
function tokenAxis(target: Target, x: Value): number {
  const { queries, image } = target.sizes();
  const counts = [queries, image && image.end - image.start];
  const axis = x.shape.slice(0, -1).findIndex((dim, i) => i > 0 && counts.includes(dim));
  if (axis > 0) return axis;
  throw new UsageError(
    `the queries of the attention "${target.layer.name}" have the shape [${x.shape.join(", ")}], ` +
      `in which its ${queries} tokens cannot be found`,
  );
}

/** All tokens blurred, or the image's among others. */
function blur(target: Target, how: BlurQueries, x: Value, axis: number): Value {
  const image = imagePart(target);
  const tokens = x.shape[axis];
  if (!image || tokens === image.end - image.start) return blurTokens(target, how, x, axis);
  const { start, end } = image;
  const others = (from: number, to: number): Value[] =>
    from === to ? [] : [slice(x, [{ axis, start: from, end: to }])];
  const middle = slice(x, [{ axis, start, end }]);
  return concat([...others(0, start), blurTokens(target, how, middle, axis), ...others(end, tokens)], axis);
}

/** The mean over `axis`, or a Gaussian along rows and columns of the grid that it runs over. */
function blurTokens({ layer, inputs, builder }: Target, how: BlurQueries, x: Value, axis: number): Value {
  if (how.sigma === Infinity) return expand(reduceMean(x, [axis], { keep: true }), x.shape);
  const [height, width] = tokenGrid(layer.name, x.shape[axis], how.grid, inputs);
  const size = kernelSize(how.sigma, width);
  const inner = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const matrix = (side: number): Value =>
    builder.literal(gaussianMatrix(side, size, how.sigma), x.dtype, [side, side]);
  const rows = matmul(matrix(width), reshape(x, [-1, height, width, inner]));
  const both = matmul(matrix(height), reshape(rows, [-1, height, width * inner]));
  return reshape(both, x.shape);
}

/** 6 sigma rounded up to an odd number, at most the width (an even one plus 1). */
export function kernelSize(sigma: number, width: number): number {
  const wanted = Math.ceil(6 * sigma);
  return Math.min(wanted + 1 - (wanted % 2), width + 1 - (width % 2));
}

/** The blur of a line of `side` numbers by `size` taps exp(-x^2 / (2 sigma^2)) of sum 1, reflected at the ends, row by row. */
export function gaussianMatrix(side: number, size: number, sigma: number): number[] {
  const half = (size - 1) / 2;
  const taps = Array.from({ length: size }, (_, i) => Math.exp(-0.5 * ((i - half) / sigma) ** 2));
  const sum = taps.reduce((a, b) => a + b, 0);
  const matrix = new Array<number>(side * side).fill(0);
  for (let row = 0; row < side; row++) {
    taps.forEach((tap, i) => {
      matrix[row * side + reflect(row + i - half, side)] += tap / sum;
    });
  }
  return matrix;
}

/** An index outside 0 .. side - 1 mirrored at the first and the last, which are not repeated. */
function reflect(index: number, side: number): number {
  if (side === 1) return 0;
  const period = 2 * (side - 1);
  const within = ((index % period) + period) % period;
  return within < side ? within : period - within;
}
