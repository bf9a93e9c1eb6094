import type { Combine } from "../guidance.ts";
import { combineMethod, spaceOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";
import { nonNegative } from "../values.ts";
import { norm, perRow } from "../perRow.ts";

export interface MamboOptions {
  /** 0 is extrapolation; the larger, the more a large difference is damped. At least 0. */
  readonly alpha: number;
  /** What the norms are of. Default: velocity, as the paper's. */
  readonly space?: Space;
}

/**
 * Magnitude-aware guidance: the larger the difference beside the weak prediction, the smaller the weight, row by row.
 *
 *   r = |strong - weak| / |weak|;     D = weak + (1 + (w - 1) e^(-alpha r)) * (strong - weak)
 *
 * Source: MAMBO-G 2025 (arXiv:2508.03442).
 */
export function mambo({ alpha, space = "velocity" }: MamboOptions): Combine {
  return {
    method: "mambo",
    combine(pair, state) {
      const { to, from } = convertAt(space, pair.x, pair.sigma);
      const inSpace = { ...pair, strong: to(pair.strong), weak: to(pair.weak) };
      const guided = perRow(inSpace, ({ strong, weak, weight }) => {
        const ratio = norm(strong.map((s, i) => s - weak[i])) / norm(weak);
        // Infinite beside a weak prediction of 0, and no number where the strong one is 0 too.
        const damped = 1 + (weight - 1) * (alpha === 0 || Number.isNaN(ratio) ? 1 : Math.exp(-alpha * ratio));
        return strong.map((s, i) => weak[i] + damped * (s - weak[i]));
      });
      return { denoised: from(guided), state };
    },
  };
}

export const mamboMethod = combineMethod({
  name: "mambo",
  role: "combine",
  summary: "Magnitude-aware guidance takes a smaller weight where the predictions differ much.",
  formula: "r = |strong - weak|/|weak|; D = weak + (1 + (weight - 1)*e^(-alpha*r))*(strong - weak)",
  needs: "what the weak method needs",
  cost: "nothing beside the weak method",
  adds: { networks: 0, gradients: 0 },
  when: "Large weights in few steps, where the first steps would be thrown off.",
  published: "weight 10, alpha 8",
  source: "MAMBO-G 2025, arXiv:2508.03442",
  space: "velocity",
  strength: "weight",
  off: 1,
  options: {
    alpha: {
      meaning: "damping by the relative size of the difference: 0 is cfg",
      unit: "none",
      default: 8,
      values: nonNegative,
    },
    space: spaceOption("velocity", "what the norms are of; the paper's is what the network predicts"),
  },
  make: mambo,
});
