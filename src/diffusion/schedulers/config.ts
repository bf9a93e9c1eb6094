import { z } from "zod";
import { FileError } from "../../base/errors.ts";
import { parseLooseJson } from "./jsonText.ts";

// The keys of scheduler_config.json, by group; every class has those of its groups, with its own defaults.

const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const on = z
  .boolean()
  .nullish()
  .transform((value) => value ?? true);
const count = z.int().min(1).max(100_000).default(1000);
const beta = z.number().gt(0).lt(1);
const sigma = z.number().gt(0).max(1e6);
const shift = z.number().gt(0).max(1e6);
const spacing = z.enum(["linspace", "leading", "trailing"]);
const finalSigmas = z.enum(["zero", "sigma_min"]).default("zero");
const order = z.int().min(1).max(3).default(2);
const solver = z.enum(["midpoint", "heun"]).default("midpoint");

const betas = {
  num_train_timesteps: count,
  beta_schedule: z
    .enum(["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace"])
    .default("linear"),
  trained_betas: z.array(z.number().gt(0).max(1)).min(1).max(100_000).nullish(),
};
/** From 1e-4 to 0.02. */
const ddpmBetas = { ...betas, beta_start: beta.default(1e-4), beta_end: beta.default(0.02) };
/** From 0.00085 to 0.012. */
const sdBetas = { ...betas, beta_start: beta.default(0.00085), beta_end: beta.default(0.012) };

const zeroSnr = { rescale_betas_zero_snr: flag };
const prediction = z.enum(["epsilon", "sample", "v_prediction"]).default("epsilon");
const flowPrediction = z.enum(["epsilon", "sample", "v_prediction", "flow_prediction"]).default("epsilon");

const threshold = {
  thresholding: flag,
  dynamic_thresholding_ratio: z.number().min(0).max(1).default(0.995),
  sample_max_value: z.number().gt(0).default(1),
};
const clip = { clip_sample_range: z.number().gt(0).default(1) };
const spaced = (kind: "linspace" | "leading") => ({
  timestep_spacing: spacing.default(kind),
  steps_offset: z.int().min(0).max(1000).default(0),
});
const curves = { use_karras_sigmas: flag, use_exponential_sigmas: flag, use_beta_sigmas: flag };
const flowCurve = {
  use_flow_sigmas: flag,
  flow_shift: shift.default(1),
  use_dynamic_shifting: flag,
  time_shift_type: z.enum(["exponential", "linear"]).default("exponential"),
};
const consistency = {
  original_inference_steps: z.int().min(1).max(100_000).default(50),
  timestep_scaling: z.number().gt(0).default(10),
};
/** A number that may be infinite, as a number or as the word. */
const clippedLambda = z
  .union([z.number(), z.literal(-Infinity), z.literal("-Infinity")])
  .default(-Infinity)
  .transform(Number);
const network = { variance_type: z.enum(["learned", "learned_range"]).nullish() };

const sigmaClass = { ...spaced("linspace"), prediction_type: prediction };
const dpmSolver = {
  ...ddpmBetas,
  ...threshold,
  ...curves,
  ...flowCurve,
  ...network,
  prediction_type: flowPrediction,
  solver_order: order,
  solver_type: solver,
  final_sigmas_type: finalSigmas,
  lambda_min_clipped: clippedLambda,
};
const flowMatch = {
  num_train_timesteps: count,
  shift: shift.default(1),
};
const flowShifts = {
  ...flowMatch,
  ...curves,
  use_dynamic_shifting: flag,
  base_shift: z.number().nullish(),
  max_shift: z.number().nullish(),
  base_image_seq_len: z.number().nullish(),
  max_image_seq_len: z.number().nullish(),
  invert_sigmas: flag,
  shift_terminal: z.number().gt(0).lt(1).nullish(),
  time_shift_type: z.enum(["exponential", "linear"]).default("exponential"),
};
const edm = {
  num_train_timesteps: count,
  sigma_min: sigma.default(0.002),
  sigma_max: sigma.default(80),
  sigma_data: sigma.default(0.5),
  sigma_schedule: z.enum(["karras", "exponential"]).default("karras"),
  rho: z.number().gt(0).max(1000).default(7),
  prediction_type: z.enum(["epsilon", "v_prediction"]).default("epsilon"),
  final_sigmas_type: finalSigmas,
};

/** Keys of the classes for consistency models. */
const consistencySampling = {
  ...sdBetas,
  ...zeroSnr,
  ...threshold,
  ...clip,
  ...consistency,
  beta_schedule: betas.beta_schedule.default("scaled_linear"),
  prediction_type: prediction,
  clip_sample: flag,
  set_alpha_to_one: on,
  ...spaced("leading"),
};

const shapes = {
  DDPMScheduler: {
    ...ddpmBetas,
    ...zeroSnr,
    ...threshold,
    ...clip,
    ...spaced("leading"),
    prediction_type: prediction,
    clip_sample: on,
    variance_type: z
      .enum(["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log", "learned_range"])
      .default("fixed_small"),
  },
  DDIMScheduler: {
    ...ddpmBetas,
    ...zeroSnr,
    ...threshold,
    ...clip,
    ...spaced("leading"),
    prediction_type: prediction,
    clip_sample: on,
    set_alpha_to_one: on,
  },
  PNDMScheduler: {
    ...ddpmBetas,
    ...spaced("leading"),
    prediction_type: z.enum(["epsilon", "v_prediction"]).default("epsilon"),
    skip_prk_steps: flag,
    set_alpha_to_one: flag,
  },
  // Its trained_betas are shares of noise, which fall to the run's end.
  IPNDMScheduler: {
    num_train_timesteps: count,
    trained_betas: z.array(z.number().min(0).max(1)).min(2).max(100_000).nullish(),
  },
  LMSDiscreteScheduler: { ...ddpmBetas, ...curves, ...sigmaClass },
  EulerDiscreteScheduler: {
    ...ddpmBetas,
    ...zeroSnr,
    ...curves,
    ...sigmaClass,
    interpolation_type: z.enum(["linear", "log_linear"]).default("linear"),
    timestep_type: z.enum(["discrete", "continuous"]).default("discrete"),
    sigma_min: sigma.nullish(),
    sigma_max: sigma.nullish(),
    final_sigmas_type: finalSigmas,
  },
  EulerAncestralDiscreteScheduler: { ...ddpmBetas, ...zeroSnr, ...sigmaClass },
  HeunDiscreteScheduler: { ...sdBetas, ...curves, ...sigmaClass, ...clip, clip_sample: flag },
  KDPM2DiscreteScheduler: { ...sdBetas, ...curves, ...sigmaClass },
  KDPM2AncestralDiscreteScheduler: { ...sdBetas, ...curves, ...sigmaClass },
  DPMSolverSDEScheduler: { ...sdBetas, ...curves, ...sigmaClass, noise_sampler_seed: z.int().nullish() },
  DPMSolverMultistepScheduler: {
    ...dpmSolver,
    ...zeroSnr,
    ...spaced("linspace"),
    algorithm_type: z
      .enum(["dpmsolver++", "dpmsolver", "sde-dpmsolver++", "sde-dpmsolver"])
      .default("dpmsolver++"),
    lower_order_final: on,
    euler_at_final: flag,
    use_lu_lambdas: flag,
  },
  DPMSolverSinglestepScheduler: {
    ...dpmSolver,
    algorithm_type: z.enum(["dpmsolver++", "dpmsolver", "sde-dpmsolver++"]).default("dpmsolver++"),
    lower_order_final: flag,
  },
  UniPCMultistepScheduler: {
    ...ddpmBetas,
    ...zeroSnr,
    ...threshold,
    ...curves,
    ...flowCurve,
    ...spaced("linspace"),
    prediction_type: flowPrediction,
    solver_order: z.int().min(1).max(8).default(2),
    // Names of other classes' solvers stand for bh2.
    solver_type: z
      .enum(["bh2", "bh1", "midpoint", "heun", "logrho"])
      .default("bh2")
      .transform((type) => (type === "bh1" ? type : "bh2")),
    predict_x0: on,
    lower_order_final: on,
    disable_corrector: z.array(z.int()).max(100_000).default([]),
    solver_p: z.null().optional(),
    final_sigmas_type: finalSigmas,
    sigma_min: sigma.nullish(),
    sigma_max: sigma.nullish(),
    shift_terminal: z.number().gt(0).lt(1).nullish(),
  },
  DEISMultistepScheduler: {
    ...ddpmBetas,
    ...threshold,
    ...curves,
    ...flowCurve,
    ...spaced("linspace"),
    prediction_type: flowPrediction,
    solver_order: order,
    // Names of other classes' algorithms and solvers stand for its own.
    algorithm_type: z
      .enum(["deis", "dpmsolver", "dpmsolver++"])
      .default("deis")
      .transform(() => "deis" as const),
    solver_type: z
      .enum(["logrho", "midpoint", "heun", "bh1", "bh2"])
      .default("logrho")
      .transform(() => "logrho" as const),
    lower_order_final: on,
  },
  LCMScheduler: consistencySampling,
  TCDScheduler: consistencySampling,
  FlowMatchEulerDiscreteScheduler: { ...flowShifts, stochastic_sampling: flag },
  FlowMatchHeunDiscreteScheduler: flowMatch,
  FlowMatchLCMScheduler: {
    ...flowShifts,
    scale_factors: z.null().optional(),
    upscale_mode: z.string().nullish(),
  },
  EDMEulerScheduler: edm,
  EDMDPMSolverMultistepScheduler: {
    ...edm,
    ...threshold,
    algorithm_type: z.enum(["dpmsolver++", "sde-dpmsolver++"]).default("dpmsolver++"),
    solver_order: order,
    solver_type: solver,
    lower_order_final: on,
    euler_at_final: flag,
  },
} as const;

type Shapes = typeof shapes;

/** The classes of diffusers whose configs are understood. */
export type SchedulerClass = keyof Shapes;

/** The content of a scheduler_config.json of class C: every key of the class, with the class's default where the file has none. */
export type ConfigOf<C extends SchedulerClass> = C extends SchedulerClass
  ? Readonly<z.output<z.ZodObject<Shapes[C]>>> & { readonly _class_name: C }
  : never;

/** A checked config of any class. */
export type SchedulerConfig = ConfigOf<SchedulerClass>;

export const schedulerClasses = Object.keys(shapes) as SchedulerClass[];

const schemas = Object.fromEntries(
  Object.entries(shapes).map(([name, shape]) => [name, z.object(shape)]),
) as { readonly [C in SchedulerClass]: z.ZodObject<Shapes[C]> };

/** Every key of any class: a config may carry those of the class that it was made from. */
const KNOWN = new Set(Object.values(shapes).flatMap((shape) => Object.keys(shape)));

/**
 * A config as the class that it names would take it. Keys of other classes are left out, as the classes themselves leave them.
 * Throws FileError on what is not an object, on a class or a key that nobody has, and on a value that cannot be.
 */
export function parseConfig(json: unknown): SchedulerConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new FileError("a scheduler's config is an object of keys and values, as in scheduler_config.json");
  const name: unknown = Object.hasOwn(json, "_class_name")
    ? (json as Record<string, unknown>)._class_name
    : undefined;
  if (typeof name !== "string" || !Object.hasOwn(shapes, name)) {
    throw new FileError(
      `${name === undefined ? "a scheduler's config names its class as _class_name" : `no scheduler class is called ${shown(name)}`}; ` +
        `the classes are ${schedulerClasses.join(", ")}`,
    );
  }
  const unknown = Object.keys(json).find((key) => !key.startsWith("_") && !KNOWN.has(key));
  if (unknown !== undefined) {
    throw new FileError(
      `no scheduler has a key ${shown(unknown)}; ${name} has ${Object.keys(shapes[name as SchedulerClass]).join(", ")}`,
    );
  }
  const parsed = schemas[name as SchedulerClass].safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new FileError(`${issue.path.join(".")} of the ${name} cannot be used: ${issue.message}`);
  }
  const config = { ...parsed.data, _class_name: name } as SchedulerConfig;
  refuseContradictions(config);
  return config;
}

/** `parseConfig` of the text of a file; bare infinite numbers, as the library itself writes them, are understood. */
export function parseConfigText(text: string): SchedulerConfig {
  return parseConfig(parseLooseJson(text, "the scheduler's config"));
}

function refuseContradictions(config: SchedulerConfig): void {
  const name = config._class_name;
  const curve = ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"].filter(
    (key) => key in config && config[key as keyof typeof config],
  );
  if (curve.length > 1) throw new FileError(`${name} takes one of ${curve.join(" and ")}, not both`);
  if ("use_flow_sigmas" in config && config.use_flow_sigmas && curve.length > 0) {
    if (name !== "UniPCMultistepScheduler" || curve[0] !== "use_karras_sigmas")
      throw new FileError(`${name} makes no schedule of ${curve[0]} with use_flow_sigmas: leave one out`);
  }
  if ("use_flow_sigmas" in config && config.prediction_type === "flow_prediction" && !config.use_flow_sigmas)
    throw new FileError(`${name} takes prediction_type "flow_prediction" with use_flow_sigmas true`);
  if (
    "beta_start" in config &&
    config.trained_betas &&
    config.trained_betas.length !== config.num_train_timesteps
  )
    throw new FileError(
      `${name} has ${config.trained_betas.length} trained_betas and num_train_timesteps ${config.num_train_timesteps}: they are one number`,
    );
  if ("sigma_schedule" in config && config.sigma_min >= config.sigma_max)
    throw new FileError(
      `${name} wants sigma_min below sigma_max, got ${config.sigma_min} and ${config.sigma_max}`,
    );
  if ("original_inference_steps" in config && config.original_inference_steps > config.num_train_timesteps)
    throw new FileError(
      `${name} has original_inference_steps ${config.original_inference_steps} of only ${config.num_train_timesteps} timesteps`,
    );
}

/** A word from a file, cut to a length that fits in a sentence. */
function shown(word: unknown): string {
  const text = JSON.stringify(word) ?? String(word);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
