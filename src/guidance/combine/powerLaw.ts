import type { Combine } from "../guidance.ts";
import { combineMethod, numberOption, spaceOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";
import { norm, perRow } from "../perRow.ts";

export interface PowerLawOptions {
  /** 0 is extrapolation; above 0, a small difference is guided less. */
  readonly alpha: number;
  /** What the norm is of. Default eps. */
  readonly space?: Space;
}

/**
 * Power-law guidance: what is above off grows with a power of the difference's norm, row by row.
 *
 *   D = strong + (w - 1) |strong - weak|^alpha (strong - weak)
 *
 * The norm is the Euclidean one over a whole sample, so that a weight depends on the number of its elements.
 * Source: Lehman Pavasovic et al. 2025 (arXiv:2502.07849), Section 5.
 */
export function powerLaw({ alpha, space = "eps" }: PowerLawOptions): Combine {
  return {
    method: "power-law",
    combine(pair, state) {
      const { to, from } = convertAt(space, pair.x, pair.sigma);
      const inSpace = { ...pair, strong: to(pair.strong), weak: to(pair.weak) };
      const guided = perRow(inSpace, ({ strong, weak, weight }) => {
        const g = strong.map((s, i) => s - weak[i]);
        const size = norm(g);
        const factor = size === 0 ? 0 : (weight - 1) * size ** alpha;
        return strong.map((s, i) => s + factor * g[i]);
      });
      return { denoised: from(guided), state };
    },
  };
}

export const powerLawMethod = combineMethod({
  name: "power-law",
  role: "combine",
  summary: "Power-law guidance is weak where the predictions agree and strong where they differ.",
  formula: "D = strong + (weight - 1)*|strong - weak|^alpha*(strong - weak)",
  needs: "what the weak method needs",
  cost: "nothing beside the weak method",
  adds: { networks: 0, gradients: 0 },
  when: "Guidance that ends by itself as the noise goes.",
  published: "alpha 0.9",
  source: "Lehman Pavasovic et al. 2025, arXiv:2502.07849",
  space: "eps",
  strength: "weight",
  off: 1,
  example: { model: "fashion-mnist" },
  options: {
    alpha: numberOption("power of the norm: 0 is cfg", 0.9),
    space: spaceOption("eps", "what the norm is of"),
  },
  make: powerLaw,
});
