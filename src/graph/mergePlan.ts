import type { Builder } from "./builder.ts";
import { costOf } from "./cost.ts";
import type { Graph } from "./graph.ts";
import type { Perturbation } from "./perturb.ts";
import type { Value } from "./value.ts";

/** What was merged how. */
export interface MergePlan {
  /** One sentence for every batch or continuation, in the order in which they are computed. */
  readonly steps: readonly string[];
  /** Operations of all, in evaluations of the plain network for one branch. */
  readonly evaluations: number;
}

/** Branches that are computed together. */
export interface Stage {
  readonly outputs: Readonly<Record<string, Value>>;
  /** How many conditions they have. */
  readonly rows: number;
  readonly how: Perturbation | null;
  /** The node from which on they are computed anew; null when they do not start from another stage. */
  readonly first: string | null;
}

/** Counts the operations of each stage beside those of one plain evaluation, `single`. */
export function planOf(single: Graph, builder: Builder, stages: readonly Stage[]): MergePlan {
  const plain = costOf(single).flops;
  const steps: string[] = [];
  let sum = 0;
  let outputs: Record<string, Value> = {};
  for (const stage of stages) {
    outputs = { ...outputs, ...stage.outputs };
    const evaluations = costOf(builder.build(outputs)).flops / plain;
    steps.push(sentence(stage, evaluations - sum));
    sum = evaluations;
  }
  return { steps, evaluations: sum };
}

function sentence({ outputs, rows, how, first }: Stage, evaluations: number): string {
  const who = Object.keys(outputs).join(", ");
  const perturbed = how ? ` (${how.kind})` : "";
  const together = rows > 1 ? `one batch of ${rows} conditions` : "by itself";
  const where = first === null ? "" : ` from node "${first}" on, all before it shared`;
  return `${who}${perturbed}: ${together}${where}, ${evaluations.toFixed(2)} evaluations`;
}
