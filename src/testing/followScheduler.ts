import type { Tensor } from "../base/tensor.ts";
import { axpby, map, rowSize, scale, tensor } from "../base/tensor.ts";
import type { Evaluate, Prediction } from "../diffusion/denoiser.ts";
import type { Noise } from "../diffusion/samplers/sampler.ts";
import type { SchedulerCase, SchedulerConfigJson, SchedulerRun } from "./schedulerFixture.ts";
import { schedulerCommon } from "./schedulerFixture.ts";
import { type RecordedTables, recordedTables } from "./schedulerTables.ts";

/** A recorded run, ready for one of our samplers: every state that the run lists is checked on the way. */
export interface Followed extends RecordedTables {
  /** The start in VE form: z * init_noise_sigma / alpha. */
  readonly start: Tensor;
  /**
   * The model as a prediction of x0, in VE form. The k-th call (from 0) is call k of the run: throws where x is not its state k or
   * sigma not its level, then calls the model at the recorded timestep. DDIM: where clipping changed the prediction, `renoise` is
   * the one before it, unless use_clipped_model_output.
   */
  readonly evaluate: Evaluate;
  /** The tape, one tensor a call. */
  readonly noise: Noise;
  /** Throws unless `x` is the run's last state, all calls were made, and no more noise was used than the run's (or one less, of weight 0). */
  check(x: Tensor): void;
}

/**
 * A run of a fixture file to be followed by a sampler that was given `sigmas` (and `targets`):
 *
 *     const { sigmas, start, evaluate, noise, check } = followScheduler("DDPMScheduler", one, run);
 *     check(await last(ddpm(evaluate, start, sigmas, { noise })));
 */
export function followScheduler(name: string, one: SchedulerCase, run: SchedulerRun): Followed {
  const { config } = one;
  const tables = recordedTables(name, one, run);
  const predict = predictor(name, config, run.step.use_clipped_model_output === true);
  let [calls, drawn] = [0, 0];
  const compare = (x: Tensor, k: number) => {
    const { alpha } = k < tables.calls.length ? tables.calls[k] : tables.end;
    if (Object.hasOwn(run.states, k)) checkState(scale(alpha, x), run.states[k], run.tol.state, `state ${k}`);
  };
  const z = tensor(Float64Array.from(schedulerCommon.z), schedulerCommon.shape);
  return {
    ...tables,
    start: scale((run.init_noise_sigma ?? 1) / tables.calls[0].alpha, z),
    evaluate: (x, sigma) => {
      const k = calls++;
      if (k >= tables.calls.length) throw new Error(`the run has ${k} calls of the model, this is one more`);
      compare(x, k);
      const call = tables.calls[k];
      if (!(Math.abs(sigma - call.sigma) <= 1e-6 * call.sigma))
        throw new Error(`call ${k} is at sigma ${sigma}, wanted ${call.sigma}`);
      return Promise.resolve(predict(x, call.sigma, call.timestep, call.alpha));
    },
    noise: (_, shape) => tensor(Float64Array.from(schedulerCommon.noise[drawn++]), shape),
    check: (x) => {
      compare(x, run.step_calls);
      if (calls !== run.step_calls) throw new Error(`${calls} calls of the model, wanted ${run.step_calls}`);
      if (drawn !== run.noise_used && drawn !== run.noise_used - 1)
        throw new Error(`${drawn} noises, wanted ${run.noise_used}`);
    },
  };
}

/** Throws unless max |got - want| <= tol * max(1, max |want|). */
export function checkState(got: Tensor, want: readonly number[], tol: number, what: string): void {
  const bound = tol * Math.max(1, ...want.map(Math.abs));
  if (got.data.length !== want.length)
    throw new Error(`${what}: ${got.data.length} values, wanted ${want.length}`);
  for (let i = 0; i < want.length; i++) {
    const off = Math.abs(got.data[i] - want[i]);
    if (!(off <= bound))
      throw new Error(`${what}[${i}]: got ${got.data[i]}, wanted ${want[i]} within ${bound} (off by ${off})`);
  }
}

/** The fixture's network: tanh(a x + b sin(t / 100)), and, where variances are learned, as many channels of them. */
export function schedulerModel(
  x: Tensor,
  timestep: number,
): { readonly out: Tensor; readonly variance: Tensor } {
  const { a, b } = schedulerCommon.model;
  const shift = b * Math.sin(timestep / 100);
  return {
    out: map((value) => Math.tanh(a * value + shift), x),
    variance: map((value) => Math.tanh(0.5 * value - 0.2 * Math.cos(timestep / 100)), x),
  };
}

/** The model of a class as a prediction of x0 at a VE state, level, timestep and alpha of the class's own state. */
function predictor(
  name: string,
  config: SchedulerConfigJson,
  renoisesClipped: boolean,
): (x: Tensor, sigma: number, timestep: number, alpha: number) => Prediction {
  const isFlow = name.startsWith("FlowMatch") || config.use_flow_sigmas === true;
  const isEdm = name.startsWith("EDM");
  const sd = Number(config.sigma_data ?? 1);
  const [input, convert] = isFlow
    ? [
        (s: number) => 1 / (1 + s),
        (s: number): [number, number] => [1 / (1 + s), config.invert_sigmas ? s / (1 + s) : -s / (1 + s)],
      ]
    : isEdm
      ? [
          (s: number) => 1 / Math.sqrt(s * s + sd * sd),
          (s: number): [number, number] => [
            (sd * sd) / (s * s + sd * sd),
            ((config.prediction_type === "v_prediction" ? -1 : 1) * s * sd) / Math.sqrt(s * s + sd * sd),
          ],
        ]
      : [(s: number) => 1 / Math.sqrt(1 + s * s), coefficientsOf(name, config)];
  return (x, sigma, timestep, alpha) => {
    const { out, variance } = schedulerModel(scale(input(sigma), x), timestep);
    const [skip, weight] = convert(sigma);
    const raw = axpby(skip, x, weight, out);
    let x0 = raw;
    // TCD has the keys of limits and does not use them.
    if (name === "TCDScheduler") {
      x0 = raw;
    } else if (config.thresholding) {
      x0 = threshold(x0, Number(config.dynamic_thresholding_ratio), Number(config.sample_max_value));
    } else if (config.clip_sample) {
      const range = Number(config.clip_sample_range);
      x0 = map((value) => Math.min(Math.max(value, -range), range), x0);
    }
    if (name === "LCMScheduler") {
      const t = timestep * Number(config.timestep_scaling);
      const total = t * t + 0.25;
      x0 = axpby(t / Math.sqrt(total), x0, (0.25 / total) * alpha, x);
    }
    const renoised = !renoisesClipped && name === "DDIMScheduler";
    return {
      ...x0,
      ...(renoised && x0 !== raw ? { renoise: raw } : {}),
      ...(config.variance_type === "learned_range" ? { varianceMix: map((v) => (v + 1) / 2, variance) } : {}),
    };
  };
}

/** D = skip x + weight out, by prediction type. */
function coefficientsOf(name: string, config: SchedulerConfigJson): (s: number) => [number, number] {
  if (name === "IPNDMScheduler")
    // At noise alone the library's prediction is 0: (x - b e) / a with e = x.
    return (s) => (s >= 1e8 ? [0, 0] : [1 / (1 + s * s), -s / Math.sqrt(1 + s * s)]);
  switch (config.prediction_type) {
    case "epsilon":
      return (s) => [1, -s];
    case "v_prediction":
      return (s) => [1 / (1 + s * s), -s / Math.sqrt(1 + s * s)];
    case "sample":
      return () => [0, 1];
    default:
      throw new Error(`prediction_type ${String(config.prediction_type)}`);
  }
}

/** Cut to the row's quantile of |x0|, at least 1 and at most `max`, and divided by it. */
function threshold(x0: Tensor, ratio: number, max: number): Tensor {
  const size = rowSize(x0);
  const bounds = Array.from({ length: x0.shape[0] }, (_, row) => {
    const sorted = x0.data
      .slice(row * size, (row + 1) * size)
      .map(Math.abs)
      .sort();
    const at = ratio * (size - 1);
    const low = Math.floor(at);
    const value = sorted[low] + (at - low) * (sorted[Math.min(low + 1, size - 1)] - sorted[low]);
    return Math.min(Math.max(value, 1), max);
  });
  return map((value, i) => {
    const bound = bounds[Math.floor(i / size)];
    return Math.min(Math.max(value, -bound), bound) / bound;
  }, x0);
}
