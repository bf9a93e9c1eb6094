import { describe, expect, test } from "vitest";
import { type Tensor, tensor } from "../../base/tensor.ts";
import type { Prediction } from "../denoiser.ts";
import { concatChannels } from "../../testing/concatChannels.ts";
import { parseConfig, schedulerClasses } from "./config.ts";
import { formOf, inputOf, limit, predictionOf, scalingOf, splitOutput } from "./prediction.ts";

const of = (name: string, keys: object = {}) => parseConfig({ _class_name: name, ...keys });
const double = (values: readonly number[], shape: readonly number[]): Tensor =>
  tensor(Float64Array.from(values), shape);

const X0 = [0.3, -1.2, 0.7, 2];
const NOISE = [1.1, 0.4, -0.9, -0.2];
const SIGMAS = [0.01, 0.5, 1, 14.6];

describe("a network that predicts exactly gives x0 back", () => {
  /** What the network outputs at (alpha, s) = shares of x0 and noise in its input. */
  const OUTPUTS: Readonly<Record<string, (x0: number, noise: number, alpha: number, s: number) => number>> = {
    epsilon: (_, noise) => noise,
    v_prediction: (x0, noise, alpha, s) => alpha * noise - s * x0,
    sample: (x0) => x0,
    flow_prediction: (x0, noise) => noise - x0,
  };
  const CASES = [
    ...["DDPMScheduler", "EulerDiscreteScheduler", "UniPCMultistepScheduler", "LMSDiscreteScheduler"].flatMap(
      (name) => ["epsilon", "v_prediction", "sample"].map((type) => [name, type, {}] as const),
    ),
    ["UniPCMultistepScheduler", "flow_prediction", { use_flow_sigmas: true }] as const,
    ["DPMSolverMultistepScheduler", "epsilon", { use_flow_sigmas: true }] as const,
    ["FlowMatchHeunDiscreteScheduler", "flow_prediction", {}] as const,
  ];

  test.each(CASES)("%s, %s", (name, type, keys) => {
    const config = of(name, { ...keys, ...(name.startsWith("Flow") ? {} : { prediction_type: type }) });
    const isFlow = name.startsWith("Flow") || "use_flow_sigmas" in keys;
    for (const sigma of SIGMAS) {
      const scaling = scalingOf(config)(sigma);
      const x = double(
        X0.map((x0, i) => x0 + sigma * NOISE[i]),
        [2, 2],
      );
      // The network's input is alpha x0 + s noise, of the form that it was trained on.
      const alpha = isFlow ? 1 / (1 + sigma) : 1 / Math.sqrt(1 + sigma * sigma);
      expect(inputOf(scaling, x)).toBeAllClose(
        X0.map((x0, i) => alpha * (x0 + sigma * NOISE[i])),
        { rel: 1e-13 },
      );
      const output = double(
        X0.map((x0, i) => OUTPUTS[type](x0, NOISE[i], alpha, sigma * alpha)),
        [2, 2],
      );
      expect(predictionOf(scaling, x, output)).toBeAllClose(X0, { abs: 1e-12 });
    }
  });

  test("v on a straight path is not of unit length: a x - s F as the library has it", () => {
    const config = of("UniPCMultistepScheduler", { use_flow_sigmas: true, prediction_type: "v_prediction" });
    const x = double([3], [1, 1]); // at sigma 1: a = s = 1/2, own form 1.5
    expect(predictionOf(scalingOf(config)(1), x, double([0.4], [1, 1]))).toBeAllClose(0.5 * 1.5 - 0.5 * 0.4, {
      rel: 1e-14,
    });
  });

  test("inverted flow networks predict x0 - noise", () => {
    const config = of("FlowMatchEulerDiscreteScheduler", { invert_sigmas: true });
    const x = double(
      X0.map((x0, i) => x0 + 2 * NOISE[i]),
      [2, 2],
    );
    const output = double(
      X0.map((x0, i) => x0 - NOISE[i]),
      [2, 2],
    );
    expect(predictionOf(scalingOf(config)(2), x, output)).toBeAllClose(X0, { abs: 1e-13 });
  });

  test("EDM's network gets unit variance and gives unit variance, of either sign", () => {
    const sd = 0.5;
    for (const [type, sign] of [
      ["epsilon", 1],
      ["v_prediction", -1],
    ] as const) {
      const { cIn, cSkip, cOut } = scalingOf(of("EDMEulerScheduler", { prediction_type: type }))(3);
      expect(cIn * Math.sqrt(9 + sd * sd)).toBeAllClose(1, { rel: 1e-14 });
      // Karras et al., appendix B.6: cOut^2 = cSkip^2 sigma^2 + (1 - cSkip)^2 sd^2
      expect(cOut * cOut).toBeAllClose(cSkip * cSkip * 9 + (1 - cSkip) ** 2 * sd * sd, { rel: 1e-13 });
      expect(Math.sign(cOut)).toBe(sign);
    }
  });

  test("iPNDM's output is v, and its prediction at noise alone is 0", () => {
    const scaling = scalingOf(of("IPNDMScheduler"));
    expect(scaling(2)).toEqual(scalingOf(of("DDPMScheduler", { prediction_type: "v_prediction" }))(2));
    expect(scaling(1e8)).toMatchObject({ cSkip: 0, cOut: 0 });
  });
});

test("the form of a class's own state: shares of x0 and noise whose ratio is sigma", () => {
  const sums = { vp: 0, ve: 0, flow: 0 };
  for (const name of schedulerClasses) {
    const { alpha, sigma } = formOf(of(name))(2);
    expect(sigma / alpha).toBeAllClose(2, { rel: 1e-14 });
    if (alpha === 1) sums.ve++;
    else if (Math.abs(alpha + sigma - 1) < 1e-14) sums.flow++;
    else {
      expect(alpha * alpha + sigma * sigma).toBeAllClose(1, { rel: 1e-14 });
      sums.vp++;
    }
  }
  expect(sums).toEqual({ ve: 9, flow: 3, vp: 10 });
  expect(formOf(of("DEISMultistepScheduler", { use_flow_sigmas: true }))(1)).toEqual({
    alpha: 0.5,
    sigma: 0.5,
  });
});

describe("limits", () => {
  const x = double([0.1, 0.2, 0.3, 0.4], [2, 2]);
  const prediction: Prediction = double([0.5, -3, 2, 0.1], [2, 2]);
  const at = { x, sigma: 1, timestep: 20 };
  const limited = (name: string, keys: object, renoiseLimited = false, from = prediction): Prediction =>
    limit(of(name, keys), from, at, { renoiseLimited });

  test("clip_sample cuts at clip_sample_range", () => {
    expect(limited("DDPMScheduler", { clip_sample_range: 1.5 })).toBeAllClose([0.5, -1.5, 1.5, 0.1], {
      abs: 0,
    });
    expect(limited("HeunDiscreteScheduler", { clip_sample: true })).toBeAllClose([0.5, -1, 1, 0.1], {
      abs: 0,
    });
    expect(limited("DDPMScheduler", { clip_sample: false })).toBe(prediction);
  });

  test("thresholding goes before clip_sample, row by row, and divides by the quantile", () => {
    const keys = { thresholding: true, dynamic_thresholding_ratio: 1, sample_max_value: 2.5 };
    // Row 1: largest 3, at most 2.5. Row 2: 2.
    expect(limited("DDPMScheduler", keys)).toBeAllClose([0.2, -1, 1, 0.05], { abs: 1e-15 });
    expect(limited("DEISMultistepScheduler", keys)).toBeAllClose([0.2, -1, 1, 0.05], { abs: 1e-15 });
  });

  test("DDIM puts back the noise of the prediction before, unless asked otherwise; DDPM has none to put back", () => {
    expect(limited("DDIMScheduler", {}).renoise).toBe(prediction);
    expect(limited("DDIMScheduler", {}, true).renoise).toBeUndefined();
    expect(limited("DDPMScheduler", {}).renoise).toBeUndefined();
    // A guidance's own choice stays.
    const own = double([9, 9, 9, 9], [2, 2]);
    expect(limited("DDIMScheduler", {}, false, { ...prediction, renoise: own }).renoise).toBe(own);
  });

  test("TCD has the keys and limits nothing", () => {
    expect(limited("TCDScheduler", { clip_sample: true, thresholding: true })).toBe(prediction);
  });

  test("a learned variance stays with the prediction", () => {
    const varianceMix = double([0, 1, 0.5, 0.25], [2, 2]);
    expect(
      limited("DDPMScheduler", { variance_type: "learned_range" }, false, { ...prediction, varianceMix })
        .varianceMix,
    ).toBe(varianceMix);
  });

  test("LCM mixes x in its own form into the limited prediction; at timestep 0 it is x", () => {
    const config = of("LCMScheduler", { clip_sample: true, timestep_scaling: 0.1 });
    const own = x.data.map((value) => value / Math.SQRT2);
    expect(limit(config, prediction, { ...at, timestep: 0 }, {})).toBeAllClose(own, { rel: 1e-14 });
    // k t = 2: c_skip = 0.25/4.25, c_out = 2/sqrt(4.25).
    const want = [0.5, -1, 1, 0.1].map((value, i) => (2 / Math.sqrt(4.25)) * value + (0.25 / 4.25) * own[i]);
    expect(limit(config, prediction, at, {})).toBeAllClose(want, { rel: 1e-14 });
  });
});

describe("the output of a network that learned variances", () => {
  const x = double([1, 2, 3, 4], [2, 2, 1]);
  const out = double([5, 6, 7, 8], [2, 2, 1]);
  const v = double([-1, 1, 0, 0.5], [2, 2, 1]);

  test("is split by channels, row by row", () => {
    const learned = splitOutput(
      of("DDPMScheduler", { variance_type: "learned_range" }),
      concatChannels(out, v),
      x,
    );
    expect(learned.output).toEqual(out);
    expect(learned.varianceMix).toBeAllClose([0, 1, 0.5, 0.75], { abs: 0 });
  });

  test("other classes leave the variance out", () => {
    const config = of("DPMSolverMultistepScheduler", { variance_type: "learned" });
    expect(splitOutput(config, concatChannels(out, v), x)).toEqual({ output: out });
  });

  test("of the wrong size is refused", () => {
    expect(() => splitOutput(of("DDPMScheduler"), concatChannels(out, v), x)).toThrow(
      "has 8 values for 4 of x: DDPMScheduler wants as many",
    );
    expect(() => splitOutput(of("DDPMScheduler", { variance_type: "learned_range" }), out, x)).toThrow(
      "twice as many",
    );
  });
});
