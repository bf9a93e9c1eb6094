import { sizeOf } from "../../base/tensor.ts";
import { intOf } from "../attributes.ts";
import type { CallSite, HostInput, Rule, RuleFamily } from "../rule.ts";
import { axisOf, generate } from "../shapes.ts";

/** The positions along the axis of each line of x, with the lines in row-major order of the other axes. */
export function linesOf(shape: readonly number[], axis: number): number[][] {
  const [dim, inner] = [shape[axis], sizeOf(shape.slice(axis + 1))];
  return Array.from({ length: sizeOf(shape) / dim }, (_, line) => {
    const start = Math.floor(line / inner) * dim * inner + (line % inner);
    return Array.from({ length: dim }, (_, i) => start + i * inner);
  });
}

const axisIn = (site: CallSite, shape: readonly number[], fallback: number): number =>
  axisOf(site, intOf(site, "axis", fallback), shape.length);

/** Where the best of `numbers` stands: the first of them, or the last. */
function best(
  numbers: readonly number[],
  isBetter: (a: number, b: number) => boolean,
  last: boolean,
): number {
  return numbers.reduce((at, x, i) => (isBetter(x, numbers[at]) || (last && x === numbers[at]) ? i : at), 0);
}

function argBest(isBetter: (a: number, b: number) => boolean): Rule {
  return {
    infer: (site, [x]) => {
      const axis = axisIn(site, x!.shape, 0);
      const keep = intOf(site, "keepdims", 1) === 1;
      const shape = x!.shape.flatMap((dim, i) => (i !== axis ? [dim] : keep ? [1] : []));
      return [{ dtype: "int64", shape }];
    },
    evaluate: (site, [x]) => {
      const last = intOf(site, "select_last_index", 0) === 1;
      const lines = linesOf(x!.shape, axisIn(site, x!.shape, 0));
      return [
        lines.map((line) =>
          best(
            line.map((i) => x!.numbers[i]),
            isBetter,
            last,
          ),
        ),
      ];
    },
  };
}

/** 1 at the first largest element along the axis, else 0. */
function evaluateHardmax(site: CallSite, x: HostInput): Float64Array {
  const out = generate(x.shape, () => 0);
  for (const line of linesOf(x.shape, axisIn(site, x.shape, -1)))
    out[
      line[
        best(
          line.map((i) => x.numbers[i]),
          (a, b) => a > b,
          false,
        )
      ]
    ] = 1;
  return out;
}

/** Where the extremes are: no gradient passes. */
export const argmax: RuleFamily = {
  ArgMax: argBest((a, b) => a > b),
  ArgMin: argBest((a, b) => a < b),
  Hardmax: {
    infer: (site, [x]) => {
      axisIn(site, x!.shape, -1);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: () => [null],
    evaluate: (site, [x]) => [evaluateHardmax(site, x!)],
  },
};
