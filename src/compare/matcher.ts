import { UsageError } from "../base/errors.ts";
import { buildGuidance } from "../guidance/build.ts";
import { parseGuidance } from "../guidance/spec.ts";
import { scaleStrength } from "../guidance/strength.ts";
import type { Sampling } from "../models/bundle.ts";
import type { Model } from "../models/model.ts";
import { sampleAll } from "../models/sample.ts";
import type { MatchBy, Matching } from "./comparison.ts";
import { plannedCost, stepsByTrial, stepsFor } from "./matchEvaluations.ts";
import { type WeightMeter, weightMeter } from "./matchWeight.ts";

/** How a method is sampled. */
export interface Way {
  readonly guidance: string;
  readonly sampling: Sampling;
  /** Its effective weight, where that was measured. */
  readonly weight?: number;
}

/** Brings the methods of a comparison to equal terms. */
export interface Matcher {
  readonly matching: Matching;
  /** How the method is to be sampled. Throws UsageError where it cannot be brought there. */
  match(guidance: string): Promise<Way>;
}

export interface MatcherOptions {
  /** What all are to have; default: what the first method has, for effective weights the first that guides. */
  readonly matchTo?: number;
  /** The samples that are made. */
  readonly seeds: readonly number[];
  readonly label?: number | string | null;
  readonly signal?: AbortSignal;
}

/** Samples over whose ways effective weights are measured. */
const MEASURED = { plane: 256, image: 128 } as const;

/** Samples at most with which it is tried how early a method stops by itself: once it is done for all that run together. */
const TRIED = 64;

/** Throws UsageError where nothing can be matched on this model: no method that could be followed, no condition. */
export async function openMatcher(
  model: Model,
  specs: readonly string[],
  sampling: Sampling,
  by: MatchBy,
  options: MatcherOptions,
): Promise<Matcher> {
  return by === "evaluations"
    ? evaluationsMatcher(model, specs, sampling, options)
    : weightMatcher(model, specs, sampling, options);
}

async function evaluationsMatcher(
  model: Model,
  specs: readonly string[],
  sampling: Sampling,
  { matchTo, label, signal, seeds: given }: MatcherOptions,
): Promise<Matcher> {
  const reference = matchTo === undefined ? await firstOf(model, specs) : null;
  const wanted = matchTo ?? (await plannedCost(model, reference!, sampling)).evaluations;
  const seeds = given.slice(0, TRIED);
  const measure =
    (guidance: string) =>
    async (steps: number): Promise<number> => {
      const { evaluations } = await sampleAll(model, { ...sampling, steps, guidance, seeds, label, signal });
      return evaluations.networks + evaluations.gradients;
    };
  return {
    matching: { by: "evaluations", wanted, reference },
    async match(guidance) {
      let stops = false;
      const planned = await stepsFor(wanted, async (steps) => {
        const { evaluations, atMost } = await plannedCost(model, guidance, { ...sampling, steps });
        stops ||= atMost;
        return evaluations;
      });
      const { steps } = stops ? await stepsByTrial(wanted, planned.steps, measure(guidance)) : planned;
      return { guidance, sampling: { ...sampling, steps } };
    },
  };
}

async function weightMatcher(
  model: Model,
  specs: readonly string[],
  sampling: Sampling,
  { matchTo, label, signal }: MatcherOptions,
): Promise<Matcher> {
  const reference = await firstOf(model, specs.filter(hasStrength));
  const samples = model.denoiser.shape.length === 1 ? MEASURED.plane : MEASURED.image;
  const seeds = Array.from({ length: samples }, (_, i) => i);
  const meter: WeightMeter = await weightMeter(model, reference, { ...sampling, seeds, label, signal });
  const wanted = matchTo ?? (await meter.measure(reference));
  return {
    matching: {
      by: "effective-weight",
      wanted,
      reference: matchTo === undefined ? reference : null,
      samples,
    },
    async match(guidance) {
      const asItIs = !hasStrength(guidance) || (guidance === reference && matchTo === undefined);
      if (asItIs) return { guidance, sampling, weight: await meter.measure(guidance) };
      return { ...(await meter.match(guidance, wanted)), sampling };
    },
  };
}

const hasStrength = (guidance: string): boolean => scaleStrength(parseGuidance(guidance), 1) !== null;

/** The first that the model can take. */
async function firstOf(model: Model, specs: readonly string[]): Promise<string> {
  const refusals: string[] = [];
  for (const spec of specs) {
    try {
      buildGuidance(spec, await model.resourcesFor(spec));
      return spec;
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      refusals.push(`${spec}: ${error.message}`);
    }
  }
  throw new UsageError(
    `${model.name} takes none of the methods that the others could be matched to` +
      (refusals.length > 0 ? ` (${refusals.join("; ")})` : ": give one that guides, such as cfg:2"),
  );
}
