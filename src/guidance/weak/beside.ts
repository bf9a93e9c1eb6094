import type { Branch, Denoiser } from "../../diffusion/denoiser.ts";
import type { Term } from "../guidance.ts";
import type { Company } from "../method.ts";
import type { GuidanceResources } from "../resources.ts";
import { type WeightSpec, scaleOf, weightOf } from "../schedules.ts";
import { choice } from "../values.ts";
import type { Weight, WeightNow, WeightSchedule } from "../weight.ts";

/** Which predictions a method of one paper compares: its own choice beside CFG, or the strong one always. */
export type Compares = "unconditional" | "strong";

/** The compared predictions, as parts of a term: nothing where the strong one is compared. */
export function comparing<C>(
  compares: Compares,
  from: Denoiser<C> | undefined,
): Pick<Term<C>, "from" | "reference"> {
  return compares === "strong" ? {} : { from, reference: unconditional };
}

/** How the weak prediction is asked for before it is made worse. */
export function comparedBranch<C>(compares: Compares, strong: Branch<C>): Branch<C> {
  return compares === "strong" ? strong : unconditional(strong);
}

const unconditional = <C>(strong: Branch<C>): Branch<C> => ({ ...strong, condition: null });

/** Which predictions are compared beside CFG, as an option. */
export const formOption = {
  meaning:
    "beside cfg, paper compares the unconditional predictions, strong the conditional ones; without cfg both are the same",
  unit: "one of paper, strong",
  default: "paper" as const,
  values: choice("paper", "strong"),
} as const;

/** Whose convention the scale is in, as an option. */
export const scaleFormOption = {
  meaning:
    "diffusers takes the scale as a weight where cfg does not act, so that 1 is off as well as 0; where it acts both are the same",
  unit: "one of paper, diffusers",
  default: "paper" as const,
  values: choice("paper", "diffusers"),
} as const;

/**
 * The weight that a scale means: scale + 1. diffusers' guiders have strong + scale*(strong - weak) where CFG acts, weak +
 * scale*(strong - weak) where it does not (absent, of weight 1, or outside its interval), and are off at 0 in both.
 */
export function weightOfScale(scale: WeightSpec, form: string, { cfgActs }: Company): Weight {
  const beside = weightOf(scale, 0);
  if (form !== "diffusers") return beside;
  const alone = scaleOf(scale);
  const zeroIsOff = (value: number): number => (value === 0 ? 1 : value);
  return {
    at(sigma, step) {
      const now = (weight: Weight): WeightNow =>
        typeof weight === "object" && "at" in weight && !Array.isArray(weight)
          ? (weight as WeightSchedule).at(sigma, step)
          : (weight as WeightNow);
      if (cfgActs(sigma, step)) return now(beside);
      const weight = now(alone);
      return typeof weight === "number" ? zeroIsOff(weight) : weight.map(zeroIsOff);
    },
  };
}

/** What formulas say of diffusers' form. */
export const DIFFUSERS_SCALE =
  "where cfg acts D = D(x) + scale*(D(x) - D_weak(x)), elsewhere D = D_weak(x) + scale*(D(x) - D_weak(x)), off at 0";

/** What the option means in a guidance, and CFG's own network where it has one. */
export function comparedIn<C>(
  form: "paper" | "strong" | "diffusers",
  { unconditional }: GuidanceResources<C>,
  { methods }: Company,
): { readonly compares: Compares; readonly from?: Denoiser<C> } {
  if (form !== "paper" || !methods.includes("cfg")) return { compares: "strong" };
  return { compares: "unconditional", from: unconditional };
}
