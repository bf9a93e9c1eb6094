import type { Combine, Pair } from "../guidance.ts";
import { stateful } from "../guidance.ts";
import { combineMethod, numberOption, spaceOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";
import { axisList, choice } from "../values.ts";
import { dot, norm, perRow } from "../perRow.ts";
import { partsAlong } from "./partsAlong.ts";

/**
 * Where the difference is added to: "paper": D = strong + (w - 1) g; "diffusers": D = weak + w g; "comfyui": D = strong + w g.
 * They are one only where g is strong - weak (the first two) or never (the last). In diffusers' form a run that begins on the
 * way, at another step than 0, has no momentum.
 */
export type ApgForm = "paper" | "diffusers" | "comfyui";

export interface ApgOptions {
  /** Share of the part along the strong prediction: 0 drops it, 1 keeps all (then, without cap and momentum, CFG). */
  readonly eta: number;
  /** Largest norm of the difference; Infinity: no cap. */
  readonly cap: number;
  /** beta in g + beta * (the step before's): negative pushes back; 0 is off. */
  readonly momentum: number;
  /** Axes of a sample that norms and projections run over, from 0; the rest is taken apart. Default: all. */
  readonly axes?: readonly number[];
  /** Default "paper". */
  readonly form?: ApgForm;
  /** What the norms and projections are of. Default: x0, as the paper's; diffusers has what the network predicts. */
  readonly space?: Space;
}

/** The running difference of each row; null: there is none in this run. */
type Memory = readonly Float64Array[] | null;

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
export function apg(options: ApgOptions): Combine {
  const { eta, cap, momentum, axes, form = "paper", space = "x0" } = options;
  return stateful<Memory, Combine<Memory>>({
    method: "apg",
    offAtOne: form !== "comfyui",
    init: (_, step) => (form === "diffusers" && step > 0 ? null : []),
    combine(pair, before) {
      const { to, from } = convertAt(space, pair.x, pair.sigma);
      const inSpace: Pair = { ...pair, strong: to(pair.strong), weak: to(pair.weak) };
      const after: Float64Array[] = [];
      const guided = perRow(inSpace, ({ row, strong, weak, weight }) => {
        const last = before?.[row];
        const g = strong.map((s, i) => s - weak[i] + (momentum !== 0 && last ? momentum * last[i] : 0));
        after.push(g);
        const kept = partsAlong(axes, pair.x.shape.slice(1), [g, strong], (part, of) =>
          project(part, of, eta, cap),
        );
        const base = form === "diffusers" ? weak : strong;
        const factor = form === "paper" ? weight - 1 : weight;
        return base.map((b, i) => b + factor * kept[i]);
      });
      return { denoised: from(guided), state: before && after };
    },
  });
}

/** g capped, and of its part along `of` the share eta. */
function project(g: Float64Array, of: Float64Array, eta: number, cap: number): Float64Array {
  const size = norm(g);
  const shrink = size > cap ? cap / size : 1;
  const squared = dot(of, of);
  const along = squared === 0 ? 0 : (shrink * dot(g, of)) / squared;
  return g.map((value, i) => shrink * value + (eta - 1) * along * of[i]);
}

export const apgOptions = {
  eta: numberOption("share of the part along the strong prediction: 1 keeps all, 0 none", 0),
  cap: numberOption("largest norm of the difference; 0 is no cap", 0, "norm of a sample"),
  momentum: numberOption("beta of the running difference: 0 is off, negative pushes back", 0),
  axes: {
    meaning: "axes of a sample that norms and projections run over: 0 is the channels'; without it, all",
    unit: "numbers joined by |",
    values: axisList,
  },
  space: spaceOption(
    "x0",
    "what norms and projections are of; the paper's is x0, diffusers has the network's output",
  ),
};

export const apgMethod = combineMethod({
  name: "apg",
  role: "combine",
  summary: "Adaptive projected guidance drops the part of the difference that only makes colours stronger.",
  formula:
    "g = strong - weak + momentum*g_before; g *= min(1, cap/|g|) if cap > 0; D = strong + (weight - 1)*(across + eta*along), across and along the strong prediction",
  formulaWith: ({ form }) => {
    const moved = { diffusers: "weak", comfyui: "strong" }[String(form)];
    return moved && `g as form=paper has it; D = ${moved} + weight*(across + eta*along)`;
  },
  needs: "what the weak method needs",
  cost: "nothing beside the weak method",
  adds: { networks: 0, gradients: 0 },
  when: "Large weights of CFG without oversaturation.",
  published: "weight 4 to 15, eta 0, cap 2.5 to 15 (it depends on the size of x0), momentum -0.5 to -0.75",
  source: "Sadat et al. 2024, arXiv:2410.02416",
  space: "x0",
  strength: "weight",
  off: 1,
  options: {
    ...apgOptions,
    form: {
      meaning: "what the difference is added to: the paper's, or another program's reading of it",
      unit: "one of paper, diffusers, comfyui",
      default: "paper",
      values: choice("paper", "diffusers", "comfyui"),
    },
  },
  make: ({ cap, ...options }) => apg({ ...options, cap: cap > 0 ? cap : Infinity }),
});
