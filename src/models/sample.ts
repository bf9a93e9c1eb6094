import { UsageError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";
import { type Tensor, concatRows } from "../base/tensor.ts";
import type { Labels } from "../diffusion/denoiser.ts";
import type { Step } from "../diffusion/samplers/sampler.ts";
import { type GeneratorName, type NoiseSource, noiseSource } from "../diffusion/noise.ts";
import { type Sampler, samplers } from "../diffusion/samplers/index.ts";
import { buildGuidance } from "../guidance/build.ts";
import type { Guidance } from "../guidance/guidance.ts";
import { type EvaluationCount, guide } from "../guidance/guide.ts";
import { mixtureOfData } from "../training/objectives/exactScore.ts";
import type { Model } from "./model.ts";
import { samplingPlan } from "./samplingPlan.ts";

export interface SampleOptions {
  /** One sample a seed; a sample depends on its seed, not on the others. */
  readonly seeds: readonly number[];
  /** How to guide: "none", "cfg:2", "cfg:2+pag:scale=3", ... Default "none". */
  readonly guidance?: string;
  /** Class of every sample or of each, by index or name; null: no condition. Default: classes in turn, by seed. */
  readonly label?: number | string | null | readonly number[];
  /** Default: the model's. */
  readonly sampler?: string;
  readonly steps?: number;
  readonly sigmaMin?: number;
  readonly sigmaMax?: number;
  readonly rho?: number;
  /** How noise levels are spaced: NAME or NAME:KEY=VALUE,..., see `schedules`. Default: the model's. */
  readonly schedule?: string;
  /**
   * A scheduler_config.json of diffusers, as text or as a value: its sampler, noise levels and clipping in place of `sampler`, `schedule`
   * and the range of sigma.
   */
  readonly scheduler?: unknown;
  /** Options of the sampler by name, such as { churn: 40 }. */
  readonly samplerOptions?: Readonly<Record<string, unknown>>;
  /** Whose random numbers: see `noiseSource`. Default "philox". Models that start from data draw that from philox. */
  readonly generator?: GeneratorName;
  /** Whether the steps' noises are of one Brownian path a sample, whatever their number. Default false. */
  readonly brownian?: boolean;
  /** Aborting ends the sampling before its next step with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What a finished sampling gives. */
export interface Samples {
  /** [seeds.length, ...dims]; images lie about in [-1, 1]. */
  readonly x: Tensor;
  /** The class of each sample, or null. */
  readonly labels: Labels | null;
  /** What it cost, per sample. */
  readonly evaluations: EvaluationCount;
}

/**
 * Samples a model, step by step: an async generator of the sampler's steps that returns the samples.
 * Results depend on the seeds and options, not on which other samples are drawn.
 *
 * Throws UsageError for a label, sampler, guidance or number that the model cannot take.
 */
export async function* sample(model: Model, options: SampleOptions): AsyncGenerator<Step, Samples, void> {
  const { seeds, guidance = "none", signal } = options;
  checkSeeds(seeds);
  const plan = samplingPlan({ ...model.sampling, ...given(options) }, options);
  const labels = labelsFor(model, options);

  const how = buildGuidance(guidance, await model.resourcesFor(guidance));
  checkSampler(how, plan.sampler);
  const guided = guide(model.denoiser, labels, how, { seeds });
  const source = noiseSource(seeds, { generator: options.generator, brownian: options.brownian });
  const start = plan.start(startAt(model, seeds, plan.sigmas[0], source));
  const steps = plan.sampler.run(plan.limit(guided.evaluate), start, plan.sigmas, {
    ...plan.options,
    noise: source.step,
  });

  for (let step = await steps.next(); ; step = await steps.next()) {
    if (step.done) {
      assertFinite(step.value, guidance);
      return { x: step.value, labels, evaluations: { ...guided.evaluations } };
    }
    yield step.value;
    signal?.throwIfAborted();
  }
}

/** Throws UsageError for a sampler that cannot do what the guidance asks of it. */
export function checkSampler(
  how: Pick<Guidance<Labels>, "renoises" | "shiftsMean" | "label">,
  sampler: Sampler,
): void {
  const asks = {
    renoises: "puts back another prediction's noise",
    shiftsMean: "moves the mean of the sampler's steps",
  } as const;
  for (const what of ["renoises", "shiftsMean"] as const) {
    if (!how[what] || sampler[what]) continue;
    const able = Object.values<Sampler>(samplers).filter((one) => one[what]);
    throw new UsageError(
      `${how.label} ${asks[what]}, which the sampler ${sampler.name} cannot: use ${able.map((one) => one.name).join(", ")}`,
    );
  }
}

/** The samples alone, without the steps. `onStep` hears of each step done. */
export async function sampleAll(
  model: Model,
  options: SampleOptions,
  onStep?: (step: Step) => void,
): Promise<Samples> {
  const steps = sample(model, options);
  for (let step = await steps.next(); ; step = await steps.next()) {
    if (step.done) return step.value;
    onStep?.(step.value);
  }
}

/** The labels of a sampling: given by index or name, or the classes in turn by seed; null for none. */
export function labelsFor(
  model: Model,
  { seeds, label }: Pick<SampleOptions, "seeds" | "label">,
): Labels | null {
  const count = model.classes.length;
  if (label === null || (label === undefined && !model.resources.conditional)) return null;
  if (label === undefined) return seeds.map((seed) => (count > 0 ? seed % count : 0));
  if (typeof label === "object") {
    label.forEach((one) => labelIndex(model, one));
    return label;
  }
  const index = labelIndex(model, label);
  return seeds.map(() => index);
}

function labelIndex({ classes, name }: Model, label: number | string): number {
  const text = String(label).trim().toLowerCase();
  const named = classes.findIndex((one) => one.toLowerCase() === text);
  const index = named >= 0 ? named : /^\d+$/.test(text) ? Number(text) : -1;
  if (index < 0 || index >= classes.length) {
    const known = classes.map((one, i) => `${i} ${one}`).join(", ") || "none";
    throw new UsageError(`${name} has no class "${label}"; its classes are ${known}`);
  }
  return index;
}

/** Samples at the first noise level. */
function startAt(model: Model, seeds: readonly number[], sigmaMax: number, source: NoiseSource): Tensor {
  if (model.sampling.start === "data") {
    const truth = mixtureOfData(model.config.data);
    return concatRows(seeds.map((seed) => truth.sample(philox(seed, 0), 1, sigmaMax)));
  }
  const noise = source.start([seeds.length, ...model.denoiser.shape]);
  return { data: noise.data.map((value) => sigmaMax * value), shape: noise.shape };
}

function given(
  options: SampleOptions,
): Partial<Pick<Model["sampling"], "sampler" | "steps" | "sigmaMin" | "sigmaMax" | "rho" | "schedule">> {
  const { sampler, steps, sigmaMin, sigmaMax, rho, schedule } = options;
  return Object.fromEntries(
    Object.entries({ sampler, steps, sigmaMin, sigmaMax, rho, schedule }).filter(
      ([, value]) => value !== undefined,
    ),
  );
}

function checkSeeds(seeds: readonly number[]): void {
  if (seeds.length === 0) throw new UsageError("sampling takes at least one seed, such as --seeds 0-7");
  const wrong = seeds.find((seed) => !Number.isSafeInteger(seed) || seed < 0);
  if (wrong !== undefined) throw new UsageError(`a seed is a whole number of 0 or more, got ${wrong}`);
}

function assertFinite(x: Tensor, guidance: string): void {
  if (!x.data.every(Number.isFinite)) {
    throw new UsageError(
      `sampling with ${guidance} left the range of numbers: take a smaller weight or more steps`,
    );
  }
}
