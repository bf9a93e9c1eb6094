import type { Combine } from "../guidance.ts";
import { stateful } from "../guidance.ts";
import { combineMethod, numberOption } from "../method.ts";
import { dot, norm, perRow } from "./perRow.ts";

export interface ApgOptions {
  /** Share of the part along the strong prediction: 0 drops it, 1 keeps all (then, without cap and momentum, CFG). */
  readonly eta: number;
  /** Largest norm of the difference; Infinity: no cap. */
  readonly cap: number;
  /** beta in g + beta * (the step before's): negative pushes back; 0 is off. */
  readonly momentum: number;
}

/** The running difference of each row. */
type Memory = readonly Float64Array[];

/**
 * Adaptive projected guidance, on predictions of x0, row by row:
 *
 *   g = strong - weak + beta * (g of the step before)          momentum
 *   g <- g * min(1, r / |g|)                                   cap, not remembered
 *   g = along + across, along = <g, strong> strong / <strong, strong>
 *   D = strong + (w - 1) * (across + eta * along)
 *
 * eta = 1, r = Infinity, beta = 0 is extrapolation. Source: Sadat et al. 2024 (arXiv:2410.02416), Section 4 and Algorithm 1.
 */
export function apg({ eta, cap, momentum }: ApgOptions): Combine {
  return stateful<Memory, Combine<Memory>>({
    method: "apg",
    init: () => [],
    combine(pair, before) {
      const after: Float64Array[] = [];
      const denoised = perRow(pair, ({ row, strong, weak, weight }) => {
        const last = before[row];
        const g = strong.map((s, i) => s - weak[i] + (momentum !== 0 && last ? momentum * last[i] : 0));
        after.push(g);
        const size = norm(g);
        const shrink = size > cap ? cap / size : 1;
        const squared = dot(strong, strong);
        const along = squared === 0 ? 0 : (shrink * dot(g, strong)) / squared;
        return strong.map((s, i) => s + (weight - 1) * (shrink * g[i] + (eta - 1) * along * s));
      });
      return { denoised, state: after };
    },
  });
}

export const apgMethod = combineMethod({
  name: "apg",
  role: "combine",
  summary: "Adaptive projected guidance drops the part of the difference that only makes colours stronger.",
  formula:
    "g = strong - weak + momentum*g_before; g *= min(1, cap/|g|); D = strong + (weight - 1)*(across + eta*along), across and along the strong prediction",
  needs: "what the weak method needs",
  cost: "nothing beside the weak method",
  adds: { networks: 0, gradients: 0 },
  when: "Large weights of CFG without oversaturation.",
  published: "weight 4 to 15, eta 0, cap 2.5 to 15 (it depends on the size of x0), momentum -0.5 to -0.75",
  source: "Sadat et al. 2024, arXiv:2410.02416",
  space: "x0",
  strength: "weight",
  off: null,
  options: {
    eta: numberOption("share of the part along the strong prediction: 1 keeps all, 0 none", 0),
    cap: {
      ...numberOption("largest norm of the difference; 0 is no cap", 0, "norm of a sample"),
    },
    momentum: numberOption("beta of the running difference: 0 is off, negative pushes back", 0),
  },
  make: ({ eta, cap, momentum }) => apg({ eta, cap: cap > 0 ? cap : Infinity, momentum }),
});
