import type { Combine } from "../guidance.ts";
import { stateful } from "../guidance.ts";
import { combineMethod, numberOption, spaceOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";
import { dot, norm, perRow } from "../perRow.ts";

export interface AdaptiveOptions {
  /** Cosine of the angle between the predictions above which a row needs no more guidance. */
  readonly threshold: number;
  /** What the cosine is of. Default eps, as the paper's. */
  readonly space?: Space;
}

/** Which rows need no more guidance. */
type Memory = readonly boolean[];

/**
 * Adaptive guidance: a row is guided until its two predictions point the same way, and not any more from the next step on; once
 * that holds for every row, the weak prediction is not computed.
 *
 *   D = weak + w*(strong - weak)   until <strong, weak>/(|strong| |weak|) > threshold
 *
 * Source: Castillo et al. 2023 (arXiv:2312.12487), Section 5, on predicted noise.
 */
export function adaptive({ threshold, space = "eps" }: AdaptiveOptions): Combine {
  return stateful<Memory, Combine<Memory>>({
    method: "adaptive",
    init: (rows) => new Array<boolean>(rows).fill(false),
    finished: (done) => done.length > 0 && done.every(Boolean),
    combine(pair, done) {
      const { to } = convertAt(space, pair.x, pair.sigma);
      const after: boolean[] = [];
      perRow({ ...pair, strong: to(pair.strong), weak: to(pair.weak) }, ({ row, strong, weak }) => {
        const cosine = dot(strong, weak) / (norm(strong) * norm(weak));
        after.push(done[row] || cosine > threshold);
        return strong;
      });
      const denoised = perRow(pair, ({ row, strong, weak, weight }) =>
        done[row] ? strong : strong.map((s, i) => weak[i] + weight * (s - weak[i])),
      );
      return { denoised, state: after };
    },
  });
}

export const adaptiveMethod = combineMethod({
  name: "adaptive",
  role: "combine",
  summary: "Adaptive guidance stops, and stops paying, once the two predictions agree.",
  formula:
    "D = weak + weight*(strong - weak) until the cosine of the two is above threshold; then D = strong",
  needs: "what the weak method needs",
  cost: "less than the weak method: nothing once all samples are done",
  adds: { networks: 0, gradients: 0 },
  when: "The look of CFG at up to half of its extra cost.",
  published: "threshold 0.991",
  source: "Castillo et al. 2023, arXiv:2312.12487",
  space: "eps",
  strength: "weight",
  off: 1,
  options: {
    threshold: numberOption("cosine above which a sample is done: above 1 is never", 0.991),
    space: spaceOption("eps", "what the cosine is of"),
  },
  make: adaptive,
});
