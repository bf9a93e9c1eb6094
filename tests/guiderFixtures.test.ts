/**
 * Our parts against the outputs of every class of diffusers.guiders (0.40.0.dev0, float64): tests/fixtures/guiders. Where diffusers
 * differs from a paper, its form is asked for by name. Predictions are taken as x0, at sigma 1 and x = 0: raw numbers.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { tensor } from "../src/base/tensor.ts";
import type { Tensor } from "../src/base/tensor.ts";
import { energy } from "../src/guidance/adjust/energy.ts";
import { rescale } from "../src/guidance/adjust/rescale.ts";
import { type ApgForm, apg } from "../src/guidance/combine/apg.ts";
import { apgMix } from "../src/guidance/combine/apgMix.ts";
import { cfgZeroStar } from "../src/guidance/combine/cfgZeroStar.ts";
import { frequency } from "../src/guidance/combine/frequency.ts";
import { mambo } from "../src/guidance/combine/mambo.ts";
import { tangential } from "../src/guidance/combine/tangential.ts";
import { compose } from "../src/guidance/guidance.ts";
import type { Combine, Part } from "../src/guidance/guidance.ts";
import { guide } from "../src/guidance/guide.ts";
import { everywhere } from "../src/guidance/interval.ts";
import type { WeightSchedule } from "../src/guidance/weight.ts";

type Params = Readonly<Record<string, unknown>>;
interface Out {
  readonly shape: number[];
  readonly sum: number;
  readonly sum_sq: number;
  readonly stride?: number;
  readonly values?: number[];
  readonly full?: number[];
}
interface Case {
  readonly guider: string;
  readonly params: Params;
  readonly inputs: "A" | "B" | "C" | "D";
  readonly view: number[] | null;
  readonly at: [number, number] | null;
  readonly out: Out;
}
interface Sequence {
  readonly guider: string;
  readonly params: Params;
  readonly num_steps: number;
  readonly steps: readonly { readonly step: number; readonly input_index: number; readonly out: Out }[];
}
interface Predictions {
  readonly pred_cond: number[];
  readonly pred_uncond: number[];
  readonly pred_perturbed: number[];
}
interface Inputs {
  readonly shapes: Record<string, Predictions & { readonly shape: number[] }>;
  readonly sequence: { readonly shape: number[]; readonly steps: readonly Predictions[] };
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`fixtures/guiders/${name}.json`, import.meta.url), "utf8"));
const inputs = read("inputs") as Inputs;

/** What each prediction is asked for by: the condition's name. */
type Asked = "pred_cond" | "pred_uncond" | "pred_perturbed";

const number = (params: Params, key: string, by: number): number => (params[key] as number | undefined) ?? by;

/** Whether a window of fractions of the run holds the step. */
function inWindow(step: number, steps: number, start: number, stop: number): boolean {
  return step >= Math.trunc(start * steps) && step < Math.trunc(stop * steps);
}

/** Weight `on` in the steps where `acts`, else 1. */
const during = (acts: (step: number) => boolean, on: number): WeightSchedule => ({
  at: (_, step) => (acts(step) ? on : 1),
});

/** The combination that a class of guiders is. `weight` is what makes "original" forms one with ours. */
function combineOf(guider: string, params: Params, original: boolean): Combine | undefined {
  const form: ApgForm = original ? "paper" : "diffusers";
  const eta = number(params, "eta", guider === "AdaptiveProjectedGuidance" ? 1 : 0);
  switch (guider) {
    case "AdaptiveProjectedGuidance": {
      const cap = number(params, "adaptive_projected_guidance_rescale", 15);
      const momentum = number(params, "adaptive_projected_guidance_momentum", 0);
      return apg({ eta, cap: cap > 0 ? cap : Infinity, momentum, form });
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
      return apgMix({ eta, cap: cap > 0 ? cap : Infinity, momentum, form, start, early });
    }
    case "TangentialClassifierFreeGuidance":
      return tangential({ space: "x0" });
    case "MagnitudeAwareGuidance":
      return mambo({ alpha: number(params, "alpha", 8), space: "x0" });
    case "ClassifierFreeZeroStarGuidance":
      return cfgZeroStar({ zeroSteps: number(params, "zero_init_steps", 1), space: "x0" });
    case "FrequencyDecoupledGuidance": {
      const scales = params.guidance_scales as number[];
      const given = params.parallel_weights as number | number[] | undefined;
      const parallel = given === undefined ? [1] : [given].flat();
      const factors = scales.map((w) => (original ? w : w - 1));
      return frequency({ factors, parallel, form: original ? "paper" : "diffusers" });
    }
    default:
      return undefined;
  }
}

const SECOND: Readonly<Record<string, string>> = {
  PerturbedAttentionGuidance: "perturbed_guidance",
  SkipLayerGuidance: "skip_layer_guidance",
  SmoothedEnergyGuidance: "seg_guidance",
};

/** The parts that do what a guider of this class does in a run of so many steps (null: its step was never told). */
function partsOf(guider: string, params: Params, steps: number | null): Part<Asked>[] {
  const original = params.use_original_formulation === true;
  const enabled = params.enabled !== false;
  const inRange = (step: number): boolean =>
    enabled &&
    (steps === null || inWindow(step, steps, number(params, "start", 0), number(params, "stop", 1)));
  const scale = number(params, "guidance_scale", guider === "AdaptiveProjectedMixGuidance" ? 3.5 : 7.5);

  // The first part: c and u.
  const mixed =
    guider === "AdaptiveProjectedMixGuidance"
      ? number(params, "adaptive_projected_guidance_scale", 10)
      : scale;
  // A mix whose projecting part is off is all early: its own weight must not be off.
  const weight = guider === "FrequencyDecoupledGuidance" || (mixed !== scale && mixed === 1) ? 2 : mixed;
  const combine = combineOf(guider, params, original);
  // "Original" forms add to c what others add to u: one weight more, except where the factors say so.
  const bySelf = combine?.method === "fdg";
  const isOff = guider !== "FrequencyDecoupledGuidance" && (original ? scale === 0 : scale === 1);
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

  const amount = number(params, "guidance_rescale", 0);
  return [...parts, rescale({ amount, space: "x0" })];
}

/** Runs a guider's steps: what comes out of each. */
async function run(
  parts: readonly Part<Asked>[],
  steps: readonly { readonly step: number; readonly predictions: Predictions; readonly shape: number[] }[],
): Promise<Tensor[]> {
  let present = steps[0];
  const denoiser = {
    shape: present.shape.slice(1),
    denoise: async (_x: Tensor, _sigma: number, branches: readonly { readonly condition: Asked | null }[]) =>
      branches.map(({ condition }) =>
        tensor(Float64Array.from(present.predictions[condition!]), present.shape),
      ),
  };
  const { evaluate } = guide<Asked>(denoiser, "pred_cond", compose(parts));
  const out: Tensor[] = [];
  for (present of steps) {
    const x = tensor(new Float64Array(present.predictions.pred_cond.length), present.shape);
    out.push(await evaluate(x, 1, present.step));
  }
  return out;
}

/** These two compute in float32 in the library, even for float64 input. */
const tolerance = (guider: string): number =>
  guider === "ClassifierFreeZeroStarGuidance"
    ? 2e-6
    : guider === "TangentialClassifierFreeGuidance"
      ? 5e-5
      : 1e-10;

function check(got: Tensor, out: Out, guider: string): void {
  const stride = out.full ? 1 : out.stride!;
  const want = out.full ?? out.values!;
  const seen = Array.from({ length: want.length }, (_, i) => got.data[i * stride]);
  const abs = tolerance(guider) * Math.max(1, ...want.map(Math.abs));
  expect(seen).toBeAllClose(want, { abs });
  const sum = Array.from(got.data).reduce((a, b) => a + b, 0);
  expect(Math.abs(sum - out.sum)).toBeLessThan(abs * got.data.length);
}

/** Why a case is not ours, or null. */
function excluded({
  guider,
  params,
  inputs: name,
}: Pick<Case, "guider" | "params"> & { readonly inputs?: string }): string | null {
  if (params.adaptive_projected_guidance_norm_dim !== undefined)
    return "norms over one axis are no option here";
  if (params.guidance_rescale_space === "freq") return "levels are not rescaled one by one";
  if (guider === "FrequencyDecoupledGuidance" && name === "D")
    return "the library pads 12 x 12 to 16 x 16 and returns the padded size";
  if (
    guider === "ClassifierFreeZeroStarGuidance" &&
    params.guidance_scale === 1 &&
    params.zero_init_steps === 1
  )
    return "a weight of 1 is off here, in the first steps too";
  return null;
}

const named = <T extends Pick<Case, "guider" | "params">>(cases: readonly T[]) =>
  cases.map((one, i): [string, T] => [`${i} ${one.guider} ${JSON.stringify(one.params)}`, one]);

describe("one call", () => {
  const cases = read("combine") as Case[];
  const ours = cases.filter((one) => excluded(one) === null);

  test("all but a few, each for its reason, are compared", () => {
    expect(cases.length - ours.length).toBe(10);
  });

  test.each(named(ours))("%s", async (_, one) => {
    const { guider, params, at, out } = one;
    const { shape, ...predictions } = inputs.shapes[one.inputs];
    const parts = partsOf(guider, params, at?.[1] ?? null);
    const [got] = await run(parts, [{ step: at?.[0] ?? 99, predictions, shape: one.view ?? shape }]);
    check(got, out, guider);
  });
});

describe("a run, its memory living on", () => {
  // The library makes the running difference at step 0 only: a run that begins later has none there, and has one here.
  const sequences = (read("sequence") as Sequence[]).filter(({ steps }) => steps[0].step === 0);

  test("all but the one that begins later are compared", () => expect(sequences).toHaveLength(13));

  test.each(named(sequences))("%s", async (_, { guider, params, num_steps, steps }) => {
    const { shape, steps: predictions } = inputs.sequence;
    const got = await run(
      partsOf(guider, params, num_steps),
      steps.map(({ step, input_index }) => ({ step, predictions: predictions[input_index], shape })),
    );
    steps.forEach(({ out }, i) => check(got[i], out, guider));
  });
});

test("energy-preserving guidance has no counterpart there; it is CFG of the strong prediction's norm", () => {
  const { shape, pred_cond, pred_uncond } = inputs.shapes.B;
  const strong = tensor(Float64Array.from(pred_cond), shape);
  const denoised = tensor(
    Float64Array.from(pred_cond, (c, i) => pred_uncond[i] + 5 * (c - pred_uncond[i])),
    shape,
  );
  const x = tensor(new Float64Array(pred_cond.length), shape);
  const moment = { x, sigma: 1, step: 0, seeds: [0], strong, denoised };
  const got = energy({ amount: 1, space: "x0" }).adjust(moment, undefined).denoised;
  const norm = (values: ArrayLike<number>): number =>
    Math.sqrt(Array.from(values).reduce((s, v) => s + v * v, 0));
  expect(norm(got.data)).toBeAllClose(norm(pred_cond), { rel: 1e-13 });
});
