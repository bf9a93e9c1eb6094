import { UsageError } from "../../base/errors.ts";
import { type Tensor, axpby, map, rowSize, sameKind, scale } from "../../base/tensor.ts";
import { NOISE_ALONE } from "../betas.ts";
import type { Prediction } from "../denoiser.ts";
import { type Level, straightPath, varianceExploding, variancePreserving } from "../parameterisation.ts";
import { dynamicThreshold } from "../threshold.ts";
import type { SchedulerConfig } from "./config.ts";

/** Classes that keep x0 + sigma noise itself. */
const EXPLODING: readonly string[] = [
  "LMSDiscreteScheduler",
  "EulerDiscreteScheduler",
  "EulerAncestralDiscreteScheduler",
  "HeunDiscreteScheduler",
  "KDPM2DiscreteScheduler",
  "KDPM2AncestralDiscreteScheduler",
  "DPMSolverSDEScheduler",
  "EDMEulerScheduler",
  "EDMDPMSolverMultistepScheduler",
];

/** The form of the class's own state at a VE noise level: x = alpha x0 + sigma' noise. */
export function formOf(config: SchedulerConfig): (sigma: number) => Level {
  if (isFlow(config)) return straightPath;
  return EXPLODING.includes(config._class_name) ? varianceExploding : variancePreserving;
}

function isFlow(config: SchedulerConfig): boolean {
  return (
    config._class_name.startsWith("FlowMatch") || ("use_flow_sigmas" in config && config.use_flow_sigmas)
  );
}

/** How a network's output F becomes the prediction D = cSkip x + cOut F(cIn x), x in VE form. */
export interface Scaling {
  readonly cIn: number;
  readonly cSkip: number;
  readonly cOut: number;
}

/**
 * The scaling at a VE noise level. The network sees x in variance-preserving form, on the straight path (flow), or of unit variance (EDM);
 * with a and s that form's shares of x0 and noise, for x = a x0 + s noise:
 *   epsilon  (x - s F)/a      v_prediction  a x - s F      sample  F      flow_prediction  x - s F (inverted: x + s F)
 */
export function scalingOf(config: SchedulerConfig): (sigma: number) => Scaling {
  if ("sigma_data" in config) {
    const { sigma_data: sd, prediction_type: type } = config;
    return (sigma) => {
      const root = Math.sqrt(sigma * sigma + sd * sd);
      const sign = type === "v_prediction" ? -1 : 1;
      return { cIn: 1 / root, cSkip: (sd / root) ** 2, cOut: (sign * sigma * sd) / root };
    };
  }
  if (config._class_name === "IPNDMScheduler") {
    // At noise alone the class's prediction is 0.
    return (sigma) => {
      const { alpha: cIn, sigma: s } = variancePreserving(sigma);
      return sigma < NOISE_ALONE ? { cIn, cSkip: cIn * cIn, cOut: -s } : { cIn, cSkip: 0, cOut: 0 };
    };
  }
  const form = isFlow(config) ? straightPath : variancePreserving;
  const type = "prediction_type" in config ? config.prediction_type : "flow_prediction";
  const sign = "invert_sigmas" in config && config.invert_sigmas ? 1 : -1;
  return (sigma) => {
    const { alpha: cIn, sigma: s } = form(sigma);
    switch (type) {
      case "epsilon":
        return { cIn, cSkip: 1, cOut: -s / cIn };
      case "v_prediction":
        return { cIn, cSkip: cIn * cIn, cOut: -s };
      case "sample":
        return { cIn, cSkip: 0, cOut: 1 };
      case "flow_prediction":
        return { cIn, cSkip: cIn, cOut: sign * s };
    }
  };
}

/** What a class does to its prediction of x0 after the network: limits it, or mixes it with x. */
export interface Limiting {
  /** DDIM's use_clipped_model_output: the noise that is put back is that of the limited prediction. Default false. */
  readonly renoiseLimited?: boolean;
}

/**
 * The prediction as the class goes on with it, from one at x (VE form) and sigma: thresholding or clip_sample; then LCM's
 *   c_out x0 + c_skip x',   c_skip = 0.25/((k t)^2 + 0.25), c_out = k t/sqrt((k t)^2 + 0.25), k = timestep_scaling, x' the class's own x.
 * DDIM puts back the noise of the prediction before its limits. TCD has the keys of limits and does not use them.
 */
export function limit(
  config: SchedulerConfig,
  prediction: Prediction,
  { x, sigma, timestep }: { readonly x: Tensor; readonly sigma: number; readonly timestep: number },
  { renoiseLimited = false }: Limiting,
): Prediction {
  const limited = within(config, prediction);
  if (config._class_name === "LCMScheduler") {
    const scaled = timestep * config.timestep_scaling;
    const total = scaled * scaled + 0.25;
    const { alpha } = variancePreserving(sigma);
    return axpby(scaled / Math.sqrt(total), limited, (0.25 * alpha) / total, x);
  }
  if (limited === prediction) return prediction;
  const { varianceMix } = prediction;
  return {
    ...limited,
    ...(config._class_name === "DDIMScheduler" && !renoiseLimited
      ? { renoise: prediction.renoise ?? prediction }
      : {}),
    ...(varianceMix ? { varianceMix } : {}),
  };
}

function within(config: SchedulerConfig, x0: Tensor): Tensor {
  if (config._class_name === "TCDScheduler") return x0;
  if ("thresholding" in config && config.thresholding)
    return dynamicThreshold(x0, config.dynamic_thresholding_ratio, config.sample_max_value);
  if ("clip_sample" in config && config.clip_sample) {
    const range = config.clip_sample_range;
    return map((value) => Math.min(Math.max(value, -range), range), x0);
  }
  return x0;
}

/**
 * A network's output for x as its prediction and what it says of the variance. Of a network that learned it (variance_type) the output
 * has twice x's channels, the second half v: varianceMix = (v + 1)/2 for DDPM; the other classes leave it out.
 * Throws UsageError on an output of another size.
 */
export function splitOutput(
  config: SchedulerConfig,
  output: Tensor,
  x: Tensor,
): { readonly output: Tensor; readonly varianceMix?: Tensor } {
  const learned =
    "variance_type" in config &&
    (config.variance_type === "learned" || config.variance_type === "learned_range");
  const size = rowSize(x);
  const length = x.data.length;
  if (output.data.length === length && !learned) return { output };
  if (!learned || output.data.length !== 2 * length) {
    throw new UsageError(
      `the network's output has ${output.data.length} values for ${length} of x: ${config._class_name} wants ` +
        (learned ? "twice as many, the second half of the channels for the variance" : "as many"),
    );
  }
  const half = (offset: number): Tensor => {
    const data = sameKind(output.data, length);
    for (let row = 0; row < x.shape[0]; row++) {
      const start = 2 * row * size + offset * size;
      data.set(output.data.subarray(start, start + size), row * size);
    }
    return { data, shape: x.shape };
  };
  if (config._class_name !== "DDPMScheduler") return { output: half(0) };
  return { output: half(0), varianceMix: map((v) => (v + 1) / 2, half(1)) };
}

/** D = cSkip x + cOut F, of x's array kind. */
export function predictionOf({ cSkip, cOut }: Scaling, x: Tensor, output: Tensor): Tensor {
  return cSkip === 0 ? axpby(0, x, cOut, output) : axpby(cSkip, x, cOut, output);
}

/** What the network sees: cIn x. */
export function inputOf({ cIn }: Scaling, x: Tensor): Tensor {
  return scale(cIn, x);
}
