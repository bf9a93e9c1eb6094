import type { Combine, Pair } from "../guidance.ts";
import { combineMethod, spaceOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";
import { choice, wholeNumber } from "../values.ts";
import { dot, perRow } from "../perRow.ts";

/**
 * "paper": weight 1 is off, in the first steps too; "diffusers": the first steps have velocity 0 at every weight, and the weak
 * prediction is always asked for.
 */
export type CfgZeroStarForm = "paper" | "diffusers";

export interface CfgZeroStarOptions {
  /** Steps in which the predicted velocity is 0, so that x does not move. 0 is none. */
  readonly zeroSteps: number;
  /** Default "paper". */
  readonly form?: CfgZeroStarForm;
  /** Default: velocity, as the paper's. */
  readonly space?: Space;
}

/**
 * CFG-Zero*: the weak prediction is first brought to the size that fits the strong one best, row by row.
 *
 *   s = <strong, weak> / (|weak|^2 + 1e-8);     v = s weak + w*(strong - s weak);     v = 0 in the first `zeroSteps` steps
 *
 * Source: Fan et al. 2025 (arXiv:2503.18886), Eqs. 9 to 11, in flow velocity.
 */
export function cfgZeroStar({ zeroSteps, form = "paper", space = "velocity" }: CfgZeroStarOptions): Combine {
  return {
    method: "cfg-zero",
    offAtOne: form === "paper",
    combine(pair, state) {
      const { to, from } = convertAt(space, pair.x, pair.sigma);
      const inSpace: Pair = { ...pair, strong: to(pair.strong), weak: to(pair.weak) };
      const guided = perRow(inSpace, ({ strong, weak, weight }) => {
        if (pair.step < zeroSteps) return new Float64Array(strong.length);
        if (weight === 1) return strong;
        const s = dot(strong, weak) / (dot(weak, weak) + 1e-8);
        return strong.map((c, i) => s * weak[i] + weight * (c - s * weak[i]));
      });
      return { denoised: from(guided), state };
    },
  };
}

export const cfgZeroStarMethod = combineMethod({
  name: "cfg-zero",
  role: "combine",
  summary: "CFG-Zero* brings the weak prediction to its best size first, and waits in the first steps.",
  formula:
    "s = <strong, weak>/(|weak|^2 + 1e-8); v = s*weak + weight*(strong - s*weak); v = 0 while step < zeroSteps",
  formulaWith: ({ form }) =>
    form === "diffusers"
      ? "s and v as form=paper has them; v = 0 while step < zeroSteps also at weight 1"
      : undefined,
  needs: "what the weak method needs",
  cost: "nothing beside the weak method",
  adds: { networks: 0, gradients: 0 },
  when: "Flow-matching networks that are not trained to the end.",
  published: "zeroSteps 1, or about 4 % of the steps",
  source: "Fan et al. 2025, arXiv:2503.18886",
  space: "velocity",
  strength: "weight",
  off: 1,
  options: {
    zeroSteps: {
      meaning: "first steps in which x does not move; 0 is none",
      unit: "steps",
      default: 1,
      values: wholeNumber,
    },
    form: {
      meaning: "whether weight 1 is off in the first steps too: the paper's; diffusers' has velocity 0 there",
      unit: "one of paper, diffusers",
      default: "paper" as const,
      values: choice("paper", "diffusers"),
    },
    space: spaceOption("velocity", "what is scaled; the paper's is the flow's velocity"),
  },
  make: cfgZeroStar,
});
