import type { Sigmas } from "./sigmas.ts";
import type { Sample, SamplerOptions } from "./samplers/sampler.ts";

/** One evaluation of a sampling. */
export interface Visit {
  readonly sigma: number;
  /** The sampler's step, from 0. */
  readonly step: number;
}

/**
 * The evaluations that a sampler makes over a grid of noise levels, in order. Found by running it on a sample of one
 * number whose prediction is always 0: right for every sampler whose steps do not depend on predictions.
 */
export async function visitsOf(
  run: Sample<SamplerOptions & Readonly<Record<string, unknown>>>,
  sigmas: Sigmas,
  options: Readonly<Record<string, unknown>> = {},
): Promise<readonly Visit[]> {
  const visits: Visit[] = [];
  const zero = { data: new Float64Array(1), shape: [1, 1] };
  const steps = run(
    (_, sigma, step = visits.length) => {
      visits.push({ sigma, step });
      return Promise.resolve(zero);
    },
    { data: Float64Array.of(sigmas[0]), shape: [1, 1] },
    sigmas,
    { ...options, noise: (_, shape) => ({ data: new Float64Array(1), shape }) },
  );
  for (let step = await steps.next(); !step.done; step = await steps.next());
  return visits;
}
