import type { Branch, Denoiser } from "../../diffusion/denoiser.ts";
import type { Term } from "../guidance.ts";
import type { Company } from "../method.ts";
import type { GuidanceResources } from "../resources.ts";
import { choice } from "../values.ts";

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
    "beside cfg, paper compares the unconditional predictions, strong the conditional ones (as diffusers' guiders do); without cfg both are the same",
  unit: "one of paper, strong",
  default: "paper" as const,
  values: choice("paper", "strong"),
} as const;

/** What the option means in a guidance, and CFG's own network where it has one. */
export function comparedIn<C>(
  form: "paper" | "strong",
  { unconditional }: GuidanceResources<C>,
  { methods }: Company,
): { readonly compares: Compares; readonly from?: Denoiser<C> } {
  if (form === "strong" || !methods.includes("cfg")) return { compares: "strong" };
  return { compares: "unconditional", from: unconditional };
}
