import type { Tensor } from "../../base/tensor.ts";
import type { Combine, Pair } from "../guidance.ts";
import { combineMethod, spaceOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";
import { choice, wholeNumber } from "../values.ts";
import { dot, perRow } from "../perRow.ts";

/**
 * "paper": weight 1 is off, in the first steps too; "diffusers": the first steps have velocity 0 at every weight, and the weak
 * prediction is always asked for; "comfyui": s is found in `space`, which is eps there, and scales predictions of x0, and no step
 * has velocity 0.
 */
export type CfgZeroStarForm = "paper" | "diffusers" | "comfyui";

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
    offAtOne: form !== "diffusers",
    combine(pair, state) {
      if (form === "comfyui") return { denoised: scaledInX0(pair, space), state };
      const { to, from } = convertAt(space, pair.x, pair.sigma);
      const inSpace: Pair = { ...pair, strong: to(pair.strong), weak: to(pair.weak) };
      const guided = perRow(inSpace, ({ strong, weak, weight }) => {
        if (pair.step < zeroSteps) return new Float64Array(strong.length);
        if (weight === 1) return strong;
        return awayFrom(bestSize(strong, weak), strong, weak, weight);
      });
      return { denoised: from(guided), state };
    },
  };
}

/** ComfyUI's form: s of predictions in `space`, on predictions of x0. */
function scaledInX0(pair: Pair, space: Space): Tensor {
  const { to } = convertAt(space, pair.x, pair.sigma);
  const sizes: number[] = [];
  perRow({ ...pair, strong: to(pair.strong), weak: to(pair.weak) }, ({ strong, weak }) => {
    sizes.push(bestSize(strong, weak));
    return strong;
  });
  return perRow(pair, ({ row, strong, weak, weight }) => awayFrom(sizes[row], strong, weak, weight));
}

const bestSize = (strong: Float64Array, weak: Float64Array): number =>
  dot(strong, weak) / (dot(weak, weak) + 1e-8);

/** s weak + w*(strong - s weak) */
const awayFrom = (s: number, strong: Float64Array, weak: Float64Array, weight: number): Float64Array =>
  strong.map((c, i) => s * weak[i] + weight * (c - s * weak[i]));

export const cfgZeroStarMethod = combineMethod({
  name: "cfg-zero",
  role: "combine",
  summary: "CFG-Zero* brings the weak prediction to its best size first, and waits in the first steps.",
  formula:
    "s = <strong, weak>/(|weak|^2 + 1e-8); v = s*weak + weight*(strong - s*weak); v = 0 while step < zeroSteps",
  formulaWith: ({ form }) =>
    ({
      diffusers: "s and v as form=paper has them; v = 0 while step < zeroSteps also at weight 1",
      comfyui: "s as form=paper has it; D = s*weak + weight*(strong - s*weak) on x0",
    })[String(form)],
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
      meaning:
        "paper; diffusers, whose first steps have velocity 0 at weight 1 too; or comfyui, which finds s in the space and scales x0 by it, without first steps of velocity 0 (it has space=eps)",
      unit: "one of paper, diffusers, comfyui",
      default: "paper" as const,
      values: choice("paper", "diffusers", "comfyui"),
    },
    space: spaceOption("velocity", "what is scaled; the paper's is the flow's velocity"),
  },
  make: cfgZeroStar,
});
