import { rescale } from "../src/guidance/adjust/rescale.ts";
import { type ApgForm, apg } from "../src/guidance/combine/apg.ts";
import { apgMix } from "../src/guidance/combine/apgMix.ts";
import { cfgZeroStar } from "../src/guidance/combine/cfgZeroStar.ts";
import { frequency } from "../src/guidance/combine/frequency.ts";
import { mambo } from "../src/guidance/combine/mambo.ts";
import { tangential } from "../src/guidance/combine/tangential.ts";
import type { Combine, Part } from "../src/guidance/guidance.ts";
import { everywhere } from "../src/guidance/interval.ts";
import type { WeightSchedule } from "../src/guidance/weight.ts";

export type Params = Readonly<Record<string, unknown>>;

/** What each prediction is asked for by: the condition's name. */
export type Asked = "pred_cond" | "pred_uncond" | "pred_perturbed";

const number = (params: Params, key: string, by: number): number => (params[key] as number | undefined) ?? by;

/** Whether a window of fractions of the run holds the step. */
function inWindow(step: number, steps: number, start: number, stop: number): boolean {
  return step >= Math.trunc(start * steps) && step < Math.trunc(stop * steps);
}

const least = (value: unknown): number => Math.min(...([value].flat() as number[]));
const greatest = (value: unknown): number => Math.max(...([value].flat() as number[]));

/** Weight `on` in the steps where `acts`, else 1. */
const during = (acts: (step: number) => boolean, on: number): WeightSchedule => ({
  at: (_, step) => (acts(step) ? on : 1),
});

/** The combination that a class of guiders is. `weight` is what makes "original" forms one with ours. */
function combineOf(
  guider: string,
  params: Params,
  original: boolean,
  shape: readonly number[],
): Combine | undefined {
  const form: ApgForm = original ? "paper" : "diffusers";
  const eta = number(params, "eta", guider === "AdaptiveProjectedGuidance" ? 1 : 0);
  switch (guider) {
    case "AdaptiveProjectedGuidance": {
      const cap = number(params, "adaptive_projected_guidance_rescale", 15);
      const momentum = number(params, "adaptive_projected_guidance_momentum", 0);
      const axes = axesOf(params, shape);
      return theirMemory(apg({ eta, cap: cap > 0 ? cap : Infinity, momentum, form, axes }));
    }
    case "AdaptiveProjectedMixGuidance": {
      const cap = number(params, "adaptive_projected_guidance_rescale", 10);
      const momentum =
        params.adaptive_projected_guidance_momentum === null
          ? 0
          : number(params, "adaptive_projected_guidance_momentum", -0.5);
      const early = number(params, "guidance_scale", 3.5) + (original ? 1 : 0);
      const off = number(params, "adaptive_projected_guidance_scale", 10) === (original ? 0 : 1);
      const start = off ? Infinity : number(params, "adaptive_projected_guidance_start_step", 5);
      return theirMemory(apgMix({ eta, cap: cap > 0 ? cap : Infinity, momentum, form, start, early }));
    }
    case "TangentialClassifierFreeGuidance":
      return tangential({ space: "x0" });
    case "MagnitudeAwareGuidance":
      return mambo({ alpha: number(params, "alpha", 8), space: "x0" });
    case "ClassifierFreeZeroStarGuidance":
      return cfgZeroStar({
        zeroSteps: number(params, "zero_init_steps", 1),
        // They differ at weight 1 only.
        form: isClose(number(params, "guidance_scale", 7.5), original ? 0 : 1) ? "diffusers" : "paper",
        space: "x0",
      });
    case "FrequencyDecoupledGuidance": {
      const scales = (params.guidance_scales ?? [10, 5]) as number[];
      const given = params.parallel_weights as number | number[] | undefined;
      const parallel = given === undefined ? [1] : [given].flat();
      const factors = scales.map((w) => (original ? w : w - 1));
      const rescale = params.guidance_rescale_space === "freq" ? (params.guidance_rescale as number[]) : [0];
      return frequency({ factors, parallel, rescale, form: original ? "paper" : "diffusers" });
    }
    default:
      return undefined;
  }
}

/** A run that begins at another step than 0 has no memory there, in the "original" formulation either. */
const theirMemory = (combine: Combine): Combine => ({
  ...combine,
  init: (_, step) => (step > 0 ? null : []),
});

/** The axes of a sample of what the library counts with the batch's, from the end if negative. */
function axesOf(params: Params, shape: readonly number[]): readonly number[] | undefined {
  const given = params.adaptive_projected_guidance_norm_dim as number | number[] | undefined;
  return given === undefined
    ? undefined
    : [given].flat().map((axis) => (axis < 0 ? axis + shape.length : axis) - 1);
}

/** "Off" there is within a relative 1e-9; here it is exactly 1. */
const isClose = (a: number, b: number): boolean =>
  Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));

const SECOND: Readonly<Record<string, string>> = {
  PerturbedAttentionGuidance: "perturbed_guidance",
  SkipLayerGuidance: "skip_layer_guidance",
  SmoothedEnergyGuidance: "seg_guidance",
};

/** The parts that do what a guider of this class does in a run of so many steps (null: its step was never told). */
export function partsOf(
  guider: string,
  params: Params,
  steps: number | null,
  shape: readonly number[],
): Part<Asked>[] {
  const original = params.use_original_formulation === true;
  const enabled = params.enabled !== false;
  const inRange = (step: number): boolean =>
    enabled &&
    (steps === null || inWindow(step, steps, least(params.start ?? 0), greatest(params.stop ?? 1)));
  const scale = number(params, "guidance_scale", guider === "AdaptiveProjectedMixGuidance" ? 3.5 : 7.5);

  // The first part: c and u.
  const mixed =
    guider === "AdaptiveProjectedMixGuidance"
      ? number(params, "adaptive_projected_guidance_scale", 10)
      : scale;
  // A mix whose projecting part is off is all early: its own weight must not be off.
  const mixedIsOff = mixed !== scale && isClose(mixed, original ? 0 : 1);
  const weight = guider === "FrequencyDecoupledGuidance" || mixedIsOff ? 2 : mixed;
  const combine = combineOf(guider, params, original, shape);
  // "Original" forms add to c what others add to u: one weight more, except where the factors say so.
  const bySelf = combine?.method === "fdg";
  const scales =
    bySelf || guider === "FrequencyDecoupledGuidance"
      ? ((params.guidance_scales ?? [10, 5]) as number[])
      : [scale];
  const isOff = scales.every((one) => isClose(one, original ? 0 : 1));
  const first = (step: number): boolean => inRange(step) && !isOff;
  const zeroing = (step: number): boolean =>
    enabled && combine?.method === "cfg-zero" && step < number(params, "zero_init_steps", 1);
  const parts: Part<Asked>[] = [
    {
      method: guider,
      interval: everywhere,
      weight: during((step) => first(step) || zeroing(step), weight + (original && !bySelf ? 1 : 0)),
      weak: () => ({ condition: "pred_uncond" }),
      ...(combine && { combine }),
    },
  ];

  // The second part: c and p.
  const prefix = SECOND[guider];
  if (prefix !== undefined) {
    const k = number(params, `${prefix}_scale`, 2.8);
    const from = number(params, `${prefix}_start`, guider === "SmoothedEnergyGuidance" ? 0 : 0.01);
    const to = number(params, `${prefix}_stop`, guider === "SmoothedEnergyGuidance" ? 1 : 0.2);
    const acts = (step: number): boolean =>
      enabled &&
      k !== 0 &&
      (steps === null || (step > Math.trunc(from * steps) && step < Math.trunc(to * steps)));
    // Alone and not "original", its number is a weight and no scale.
    const at = (_: number, step: number): number => (acts(step) ? (first(step) || original ? k + 1 : k) : 1);
    parts.push({
      method: "second",
      interval: everywhere,
      weight: { at },
      weak: () => ({ condition: "pred_perturbed" }),
    });
  }

  const amount = params.guidance_rescale_space === "freq" ? 0 : number(params, "guidance_rescale", 0);
  return [...parts, rescale({ amount, space: "x0" })];
}
