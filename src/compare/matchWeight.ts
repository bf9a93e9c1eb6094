import { UsageError } from "../base/errors.ts";
import { buildGuidance } from "../guidance/build.ts";
import { type WayPoint, effectiveWeight } from "../guidance/effectiveWeight.ts";
import { remembering, rememberingResources } from "../guidance/remembering.ts";
import { formatGuidance, parseGuidance } from "../guidance/spec.ts";
import { scaleStrength } from "../guidance/strength.ts";
import type { Model } from "../models/model.ts";
import { type SampleOptions, labelsFor, sample } from "../models/sample.ts";

/** A guidance whose effective weight is, as nearly as four digits of its strength allow, what was wanted. */
export interface MatchedStrength {
  readonly guidance: string;
  readonly weight: number;
}

/** The effective weights of guidance on one model, over the points of one sampling. */
export interface WeightMeter {
  /** Throws UsageError for guidance that the model cannot take. */
  measure(guidance: string): Promise<number>;
  /** The guidance with its strengths brought as far from off as gives the wanted weight. Throws UsageError where none does. */
  match(guidance: string, wanted: number): Promise<MatchedStrength>;
}

/**
 * Measures effective weights (`effectiveWeight`) over the points that a sampling with `guidance` goes through: the same points for all
 * methods, so that a weight depends on the method and its strength alone. Every prediction is made once.
 * Throws UsageError for samples without a condition.
 */
export async function weightMeter(
  model: Model,
  guidance: string,
  options: Omit<SampleOptions, "guidance">,
): Promise<WeightMeter> {
  const { seeds } = options;
  const condition = labelsFor(model, options);
  if (condition === null) {
    throw new UsageError(
      "an effective weight compares with the prediction without the condition: take a conditional model and no --label none, " +
        "or match evaluations",
    );
  }
  const denoiser = remembering(model.denoiser);
  const resources = rememberingResources(model.resources);
  const points: WayPoint[] = [];
  for await (const { x, sigma, next, index } of sample(model, { ...options, guidance }))
    points.push({ x, sigma, next, step: index });

  const measure = async (spec: string): Promise<number> => {
    const asked = { denoiser, unconditional: resources.unconditional, condition, seeds };
    const { scores } = await model.resourcesFor(spec);
    return effectiveWeight({ ...asked, guidance: buildGuidance(spec, { ...resources, scores }) }, points);
  };
  return {
    measure,
    async match(given, wanted) {
      const specs = parseGuidance(given);
      const scaled = (factor: number): string => {
        const found = scaleStrength(specs, factor);
        if (found !== null) return formatGuidance(found);
        throw new UsageError(`${given} has no strength that could be scaled to an effective weight`);
      };
      const factor = await solve((at) => measure(scaled(at)), wanted);
      if (typeof factor === "number") {
        const matched = scaled(factor);
        return { guidance: matched, weight: await measure(matched) };
      }
      const { low, high } = factor;
      throw new UsageError(
        `no strength of ${given} has the effective weight ${round(wanted)}: up to ${FACTORS.at(-1)} times as strong it goes from ` +
          `${round(low)} to ${round(high)}`,
      );
    },
  };
}

const round = (value: number): string => String(Number(value.toPrecision(4)));

/** Multiples of the given strength between which the wanted one is looked for. */
const FACTORS = [0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 32, 64];

/**
 * A factor at which f is `wanted`, to 1e-4 of the larger of 1 and `wanted`: where the line through factors 0 and 1 says, for most
 * methods are linear, or else the smallest, by bisection between the first two of FACTORS that have it between them; if there is
 * none, the least and greatest value that f took.
 */
export async function solve(
  f: (factor: number) => Promise<number>,
  wanted: number,
): Promise<number | { readonly low: number; readonly high: number }> {
  const close = 1e-4 * Math.max(1, Math.abs(wanted));
  const [zero, one] = [await f(0), await f(1)];
  const line = (wanted - zero) / (one - zero);
  if (line >= 0 && line <= FACTORS.at(-1)! && Math.abs((await f(line)) - wanted) <= close) return line;

  const values: number[] = [];
  for (const [i, factor] of FACTORS.entries()) {
    const value = factor === 0 ? zero : factor === 1 ? one : await f(factor);
    if (Math.abs(value - wanted) <= close) return factor;
    values.push(value);
    if (i === 0 || value < wanted === values[i - 1] < wanted) continue;
    let [low, high] = [FACTORS[i - 1], factor];
    for (let turn = 0; turn < 40; turn++) {
      const middle = (low + high) / 2;
      const at = await f(middle);
      if (Math.abs(at - wanted) <= close) return middle;
      if (at < wanted === values[i - 1] < wanted) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }
  return { low: Math.min(...values), high: Math.max(...values) };
}
