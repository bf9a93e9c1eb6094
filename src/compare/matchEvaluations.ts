import { UsageError } from "../base/errors.ts";
import { explainGuidance } from "../guidance/explain.ts";
import type { Sampling } from "../models/bundle.ts";
import { plannedVisits } from "../models/explainModel.ts";
import type { Model } from "../models/model.ts";

/** Steps, and what a sample then costs: network evaluations and gradients, each counted as one. */
export interface StepsAndCost {
  readonly steps: number;
  readonly evaluations: number;
}

/**
 * What a guidance costs with a model and sampling, for each sample: network evaluations and gradients, each counted as one.
 * Found without computing any. A method that may stop by itself is counted as if it did not, and said to cost that at most.
 * Throws UsageError for a sampler that decides by itself how often it evaluates.
 */
export async function plannedCost(
  model: Pick<Model, "denoiser" | "resourcesFor">,
  guidance: string,
  sampling: Omit<Sampling, "start">,
): Promise<{ readonly evaluations: number; readonly atMost: boolean }> {
  const visits = await plannedVisits(sampling);
  if (visits === null) {
    throw new UsageError(
      `${sampling.sampler} decides by itself how often it evaluates: to match evaluations, give --sampler another one`,
    );
  }
  const { denoiser } = model;
  const resources = await model.resourcesFor(guidance);
  const { cost, atMost } = explainGuidance(guidance, { model: { denoiser, resources }, visits }).run!;
  return { evaluations: cost.networks + cost.gradients, atMost };
}

/**
 * The number of steps with which a sample costs `budget`, or else what comes nearest; the fewer steps of two that are as near.
 * `costOf` a number of steps is at least that number; it need not grow with it (intervals). It may refuse one with a UsageError.
 */
export async function stepsFor(
  budget: number,
  costOf: (steps: number) => Promise<number>,
): Promise<StepsAndCost> {
  let best: StepsAndCost | null = null;
  const distance = ({ evaluations }: StepsAndCost): number => Math.abs(evaluations - budget);
  for (let steps = 1; best === null || steps <= budget + distance(best); steps++) {
    const evaluations = await costOf(steps).catch((error: unknown) => {
      if (error instanceof UsageError && steps < 4) return null;
      throw error;
    });
    if (evaluations === null) continue;
    const found = { steps, evaluations };
    if (best === null || distance(found) < distance(best)) best = found;
    if (distance(best) === 0) break;
  }
  return best;
}

/**
 * The steps with which a method that stops by itself costs `budget`: `first` steps are measured, then as many more as would make
 * up for what it saved, until that is the budget or nothing changes. Returns the nearest that was measured.
 */
export async function stepsByTrial(
  budget: number,
  first: number,
  measure: (steps: number) => Promise<number>,
): Promise<StepsAndCost> {
  const tried: StepsAndCost[] = [];
  const distance = ({ evaluations }: StepsAndCost): number => Math.abs(evaluations - budget);
  for (let steps = first; tried.length < 6 && !tried.some((one) => one.steps === steps);) {
    const evaluations = await measure(steps);
    tried.push({ steps, evaluations });
    steps = Math.max(1, Math.round((steps * budget) / evaluations));
  }
  return tried.reduce((best, one) => (distance(one) < distance(best) ? one : best));
}
