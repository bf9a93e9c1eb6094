import { type Visit, visitsOf } from "../diffusion/visits.ts";
import { type Sampler, samplerByName } from "../diffusion/samplers/index.ts";
import { scheduledSigmas } from "../diffusion/schedules.ts";
import type { ExplainedModel } from "../guidance/standIn.ts";
import type { Sampling } from "./bundle.ts";
import type { Model } from "./model.ts";

/** A model as guidance is explained on it: its networks tell what several branches together really cost. */
export function explainedModel(
  { denoiser, resources: own }: Pick<Model, "denoiser" | "resources">,
  resources = own,
): ExplainedModel {
  return {
    denoiser,
    resources,
    plan(from, branches, rows) {
      const { plan } = from as Partial<Model["denoiser"]>;
      return plan?.(branches, rows).evaluations;
    },
  };
}

/** The evaluations of a sampling, in order; null where the sampler decides by itself. */
export async function plannedVisits(
  { sampler: name, ...range }: Omit<Sampling, "start">,
  options: Readonly<Record<string, unknown>> = {},
): Promise<readonly Visit[] | null> {
  const sampler: Sampler = samplerByName(name);
  const sigmas = scheduledSigmas(range);
  return sampler.evaluations(range.steps) === null ? null : visitsOf(sampler.run, sigmas, options);
}
