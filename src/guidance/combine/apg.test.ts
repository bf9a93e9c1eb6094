import { describe, expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import type { Tensor } from "../../base/tensor.ts";
import { combineSteps, golden, pairOf } from "../../testing/pairs.ts";
import { type ApgForm, apg } from "./apg.ts";
import { extrapolate } from "./extrapolate.ts";

// Computed from the paper's formula by an independent implementation, to 6 digits.
test.each([
  { eta: 0, cap: Infinity, want: [0.72, 1.44, -1.72, 1.86] },
  { eta: 0, cap: 1, want: [0.844684, 1.689368, -1.399384, 1.254392] },
  { eta: 1, cap: Infinity, want: [2, 4, -3, 2.5] },
])("eta $eta, cap $cap at weight 3", ({ eta, cap, want }) => {
  const [denoised] = combineSteps(apg({ eta, cap, momentum: 0 }), [pairOf()]);
  expect(denoised).toBeAllClose(want, { abs: 5e-7 });
});

test("momentum adds beta times the difference of the step before", () => {
  const pairs = [pairOf(), pairOf({ step: 1 })];
  const [first, second] = combineSteps(apg({ eta: 0, cap: 2.5, momentum: -0.5 }), pairs);
  expect(first).toBeAllClose([0.72, 1.44, -1.72, 1.86], { abs: 1e-12 });
  expect(second).toBeAllClose([0.86, 1.72, -1.36, 1.18], { abs: 1e-12 });
});

test("eta 1 without cap and momentum is extrapolation, for every weight", () => {
  for (const weight of [-1, 0, 0.5, 2, 15]) {
    const [denoised] = combineSteps(apg({ eta: 1, cap: Infinity, momentum: 0 }), [pairOf({ weight })]);
    expect(denoised).toBeAllClose(extrapolate(golden.strong, [{ weight, denoised: golden.weak }]), {
      abs: 1e-14,
    });
  }
});

describe("what the difference is added to", () => {
  // c and u of the golden pair, weight 3, eta 0, cap 1: g = across of the capped difference.
  const g = [0, 1, 2, 3].map((i) => (golden.strong.data[i] - golden.weak.data[i]) / Math.sqrt(3.25));
  const along = 2.25 / 6.25; // 1 - <c, u>/<c, c> = 4/6.25 of c, in units of the difference's norm below
  const across = g.map((value, i) => value - ((1 - along) / Math.sqrt(3.25)) * golden.strong.data[i]);

  test.each([
    { form: "paper", base: golden.strong, factor: 2, printed: [0.844684, 1.689368, -1.399384, 1.254392] },
    { form: "diffusers", base: golden.weak, factor: 3, printed: [0.267026, 0.534052, -0.599076, 0.631588] },
    { form: "comfyui", base: golden.strong, factor: 3, printed: null },
  ] as const)("$form: $factor times the difference", ({ form, base, factor, printed }) => {
    const [denoised] = combineSteps(apg({ eta: 0, cap: 1, momentum: 0, form }), [pairOf()]);
    const want = across.map((value, i) => base.data[i] + factor * value);
    expect(denoised).toBeAllClose(want, { abs: 1e-14 });
    if (printed) expect(denoised).toBeAllClose(printed, { abs: 1e-6 });
  });

  test("without a form it is the paper's", () => {
    const options = { eta: 0.3, cap: 1, momentum: 0 };
    const [one, other] = [apg(options), apg({ ...options, form: "paper" })];
    expect(combineSteps(one, [pairOf()])).toEqual(combineSteps(other, [pairOf()]));
  });

  test("with the whole difference the paper's and diffusers' are one, ComfyUI's is of a weight one larger", () => {
    const options = { eta: 1, cap: Infinity, momentum: 0 };
    const of = (form: ApgForm, weight: number): Tensor =>
      combineSteps(apg({ ...options, form }), [pairOf({ weight })])[0];
    expect(of("diffusers", 3)).toBeAllClose(of("paper", 3), { abs: 1e-14 });
    expect(of("comfyui", 3)).toBeAllClose(of("paper", 4), { abs: 1e-14 });
  });

  test("a run that begins on the way has momentum in the paper's form and none in diffusers'", () => {
    const late = [pairOf({ step: 2 }), pairOf({ step: 3 })];
    const options = { eta: 0, cap: Infinity, momentum: -0.5 };
    const [paper, diffusers] = (["paper", "diffusers"] as const).map((form) =>
      combineSteps(apg({ ...options, form }), late),
    );
    expect(paper[1].data).not.toEqual(paper[0].data);
    expect(diffusers[1].data).toEqual(diffusers[0].data);
  });
});

test("norms over the channels alone cap and project each position by itself", () => {
  // Two channels of two positions.
  const strong = tensor(Float64Array.of(3, 1, 4, 0), [1, 2, 1, 2]);
  const weak = tensor(Float64Array.of(0, 1, 0, -2), [1, 2, 1, 2]);
  const x = tensor(new Float64Array(4), [1, 2, 1, 2]);
  const pair = pairOf({ x, strong, weak, weight: 2 });
  const [capped] = combineSteps(apg({ eta: 1, cap: 1, momentum: 0, axes: [0] }), [pair]);
  // Differences (3, 4) and (0, 2) become (0.6, 0.8) and (0, 1).
  expect(capped).toBeAllClose([3.6, 1, 4.8, 1], { abs: 1e-15 });
  const [across] = combineSteps(apg({ eta: 0, cap: Infinity, momentum: 0, axes: [0] }), [pair]);
  // (3, 4) lies along (3, 4); (0, 2) across (1, 0).
  expect(across).toBeAllClose([3, 1, 4, 2], { abs: 1e-15 });
});

test("a strong prediction of zeros has no direction to project on", () => {
  const strong = { data: new Float64Array(4), shape: [1, 1, 2, 2] };
  const [denoised] = combineSteps(apg({ eta: 0, cap: Infinity, momentum: 0 }), [pairOf({ strong })]);
  expect(denoised).toBeAllClose([-1, -2, 0, 1], { abs: 1e-15 });
});
