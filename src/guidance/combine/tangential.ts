import type { Combine, Pair } from "../guidance.ts";
import { combineMethod, spaceOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";
import { dot, perRow } from "../perRow.ts";

/**
 * Tangential damping: of the weak prediction, only the part along the direction that both predictions share is kept.
 *
 *   v = unit top right-singular vector of the two rows [strong; weak];     weak' = <weak, v> v;     D = weak' + w*(strong - weak')
 *
 * v = (a strong + b weak)/|...| with (a, b) the top eigenvector of the Gram matrix of the two. Source: Kwon et al. 2025
 * (arXiv:2503.18137), Algorithm 1, on predicted noise.
 */
export function tangential({ space = "eps" }: { readonly space?: Space } = {}): Combine {
  return {
    method: "tcfg",
    combine(pair, state) {
      const { to, from } = convertAt(space, pair.x, pair.sigma);
      const inSpace: Pair = { ...pair, strong: to(pair.strong), weak: to(pair.weak) };
      const guided = perRow(inSpace, ({ strong, weak, weight }) => {
        const [cc, cu, uu] = [dot(strong, strong), dot(strong, weak), dot(weak, weak)];
        const [a, b] = topEigenvector(cc, cu, uu);
        // |a c + b u|^2 is the top eigenvalue.
        const squared = a * a * cc + 2 * a * b * cu + b * b * uu;
        const along = squared === 0 ? 0 : (a * cu + b * uu) / squared;
        return strong.map((c, i) => {
          const kept = along * (a * c + b * weak[i]);
          return kept + weight * (c - kept);
        });
      });
      return { denoised: from(guided), state };
    },
  };
}

/** Unit eigenvector of [[p, q], [q, r]] of the larger eigenvalue. */
function topEigenvector(p: number, q: number, r: number): readonly [number, number] {
  // The angle of the axis of the ellipse.
  const angle = Math.atan2(2 * q, p - r) / 2;
  return [Math.cos(angle), Math.sin(angle)];
}

export const tangentialMethod = combineMethod({
  name: "tcfg",
  role: "combine",
  summary: "Tangential damping keeps of the weak prediction only what it shares with the strong one.",
  formula:
    "v = top right-singular vector of [strong; weak]; weak' = <weak, v>*v; D = weak' + weight*(strong - weak')",
  needs: "what the weak method needs",
  cost: "nothing beside the weak method",
  adds: { networks: 0, gradients: 0 },
  when: "CFG whose weak prediction wanders off the data.",
  published: "the weight of CFG (7.5 for Stable Diffusion 1.5, 5 for SDXL)",
  source: "Kwon et al. 2025, arXiv:2503.18137",
  space: "eps",
  strength: "weight",
  off: 1,
  options: { space: spaceOption("eps", "what the vectors are of; the paper's is the predicted noise") },
  make: tangential,
});
