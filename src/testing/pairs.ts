import { tensor } from "../base/tensor.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Combine, Pair } from "../guidance/guidance.ts";

/** The pair of predictions that golden values of combinations are of: c = [1, 2, -1, 0.5], u = [0.5, 1, 0, -0.5]. */
export const golden = {
  strong: tensor(Float64Array.of(1, 2, -1, 0.5), [1, 1, 2, 2]),
  weak: tensor(Float64Array.of(0.5, 1, 0, -0.5), [1, 1, 2, 2]),
};

/** A pair at a moment, everything else at rest. */
export function pairOf(given: Partial<Pair> = {}): Pair {
  const { strong, weak } = golden;
  const zeros: Tensor = { data: new Float64Array(4), shape: strong.shape };
  return { x: zeros, sigma: 1, step: 0, seeds: [0], strong, weak, weight: 3, ...given };
}

/** The predictions of some steps in a row. */
export function combineSteps(combine: Combine, pairs: readonly Pair[]): Tensor[] {
  let state = combine.init?.(pairs[0].x.shape[0], pairs[0].step);
  return pairs.map((pair) => {
    const result = combine.combine(pair, state);
    state = result.state;
    return result.denoised;
  });
}
