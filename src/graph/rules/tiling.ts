import { intOf } from "../attributes.ts";
import { reduceSum } from "../ops/reduce.ts";
import { reshape } from "../ops/reshape.ts";
import type { CallSite, RuleFamily } from "../rule.ts";
import { check, generate, knownNumbers, stridesOf } from "../shapes.ts";

/** Whether Trilu keeps row i, column j: on and below the k-th diagonal, or on and above it. */
function keeps(site: CallSite, k: number): (i: number, j: number) => boolean {
  return intOf(site, "upper", 1) === 1 ? (i, j) => j - i >= k : (i, j) => j - i <= k;
}

/** Whole tensors repeated, and triangles of them. */
export const tiling: RuleFamily = {
  Tile: {
    infer: (site, [x, repeats]) => {
      const times = knownNumbers(site, repeats, "repeats")!;
      const fits = times.length === x!.shape.length;
      check(site, fits, () => `${times.length} repeats of [${x!.shape.join(", ")}]`);
      return [{ dtype: x!.dtype, shape: x!.shape.map((dim, i) => dim * times[i]) }];
    },
    // The sum over all copies: each axis is cut in (copy, position).
    gradient: ({ inputs: [x], gradients: [g] }) => {
      const copies = x!.shape.map((dim, i) => g!.shape[i] / dim);
      const cut = reshape(
        g!,
        x!.shape.flatMap((dim, i) => [copies[i], dim]),
      );
      const axes = copies.flatMap((count, i) => (count > 1 ? [2 * i] : []));
      return [reshape(axes.length > 0 ? reduceSum(cut, axes) : cut, x!.shape), null];
    },
    evaluate: (_, [x], [{ shape }]) => {
      const [from, to] = [stridesOf(x!.shape), stridesOf(shape)];
      return [
        generate(shape, (i) => {
          const index = shape.reduce(
            (at, _, k) => at + ((Math.floor(i / to[k]) % shape[k]) % x!.shape[k]) * from[k],
            0,
          );
          return x!.numbers[index];
        }),
      ];
    },
  },
  Trilu: {
    infer: (site, [x]) => {
      check(site, x!.shape.length >= 2, () => `a triangle of [${x!.shape.join(", ")}], wanted matrices,`);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: ({ site: { attributes }, inputs: [, k], gradients: [g] }) => [
      g!.builder.apply("Trilu", k ? [g, k] : [g], { attributes })[0],
      null,
    ],
    evaluate: (site, [x, k]) => {
      const [rows, columns] = x!.shape.slice(-2);
      const kept = keeps(site, k?.numbers[0] ?? 0);
      return [
        generate(x!.shape, (i) => (kept(Math.floor(i / columns) % rows, i % columns) ? x!.numbers[i] : 0)),
      ];
    },
  },
};
