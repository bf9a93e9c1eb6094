import { type Branch, type Labels, sameInputs } from "../diffusion/denoiser.ts";
import { type Perturbation, perturbationKey } from "../graph/perturb.ts";

/** Branches that are computed as one batch with one graph. */
export interface BranchGroup {
  /** A branch for each of the distinct inputs, whose perturbation says nothing: the batch is made of their rows. */
  readonly inputs: Branch<Labels>[];
  /** What is computed of each of them. */
  readonly perturbations: readonly (Perturbation | undefined)[];
  /** The branches that it answers: their place among all, and which of the inputs and perturbations they are. */
  readonly branchesOf: {
    readonly index: number;
    readonly input: number;
    readonly perturbation: number;
  }[];
}

/** Inputs that want the same perturbations share a batch. */
export function groupBranches(branches: readonly Branch<Labels>[]): BranchGroup[] {
  const keys = branches.map(({ perturbation }) => perturbationKey(perturbation));
  const inputs = branches.filter((branch, i) => firstOf(branches, branch) === i);
  const groups = new Map<string, BranchGroup>();
  for (const input of inputs) {
    const members = branches.flatMap((branch, index) => (sameInputs(branch, input) ? [index] : []));
    const wanted = [...new Set(members.map((index) => keys[index]))];
    const group = groups.get(wanted.join(" ")) ?? {
      inputs: [],
      perturbations: wanted.map((key) => branches[keys.indexOf(key)].perturbation),
      branchesOf: [],
    };
    groups.set(wanted.join(" "), group);
    const place = group.inputs.push(input) - 1;
    for (const index of members)
      group.branchesOf.push({ index, input: place, perturbation: wanted.indexOf(keys[index]) });
  }
  return [...groups.values()];
}

const firstOf = (branches: readonly Branch<Labels>[], branch: Branch<Labels>): number =>
  branches.findIndex((other) => sameInputs(other, branch));
