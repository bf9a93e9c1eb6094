import { z } from "zod";
import { FileError, UsageError } from "../base/errors.ts";
import { generators } from "../diffusion/noise.ts";
import { schedulerFromConfig } from "../diffusion/schedulers/scheduler.ts";
import type { Model } from "../models/model.ts";
import type { SampleOptions } from "../models/sample.ts";
import { samplingPlan } from "../models/samplingPlan.ts";
import { readRecipe } from "../report/png.ts";
import { readBytes } from "../files/atomicFile.ts";
import {
  common,
  flagOf,
  output,
  positiveNumber,
  readOptions,
  seeds,
  settings,
  stepCount,
} from "./options.ts";

/** What decides the samples; a recipe can carry all of it. */
const what = {
  guidance: z.string().optional(),
  sampler: z.string().optional(),
  steps: stepCount.optional(),
  seeds: seeds.optional(),
  label: z.string().optional(),
  sigmaMin: positiveNumber.optional(),
  sigmaMax: positiveNumber.optional(),
  rho: positiveNumber.optional(),
  schedule: z.string().optional(),
  scheduler: z.string().optional(),
  samplerOption: settings.default({}),
  generator: z.enum(generators, { error: `one of ${generators.join(", ")}` }).optional(),
  brownian: z.boolean().default(false),
};

const sampleOptions = { ...what, ...common, ...output, from: z.string().optional() };

const labels = z.union([z.null(), z.array(z.int().min(-1))]);

const recipeSchema = z.looseObject({
  model: z.string(),
  files: z.record(z.string(), z.string()).optional(),
  guidance: z.string(),
  seeds: z.array(z.int().min(0)).min(1),
  /** The class of each seed, as `fairlead sample` calls it, and as `fairlead compare` does. */
  label: labels.optional(),
  labels: labels.optional(),
  sampler: z.string(),
  steps: z.int().min(1),
  sigmaMin: z.number().positive().optional(),
  sigmaMax: z.number().positive().optional(),
  rho: z.number().positive().optional(),
  schedule: z.string().optional(),
  samplerOptions: z
    .record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.array(z.number())]))
    .default({}),
  generator: z.enum(generators).optional(),
  brownian: z.boolean().default(false),
  /** The text of a scheduler_config.json. */
  scheduler: z.string().optional(),
});

/** What `fairlead sample` is asked for, from the command line or from the recipe in a picture. */
export interface SampleRequest {
  readonly model: string;
  readonly sampling: SampleOptions;
  /** SHA-256 of the files that made the picture to repeat, by their part. */
  readonly files?: Readonly<Record<string, string>>;
  readonly where: Omit<z.output<z.ZodObject<typeof sampleOptions>>, keyof typeof what>;
}

/** Reads the command line of `fairlead sample`. Throws UsageError, or FileError for a picture that carries no recipe. */
export async function sampleRequest(model: string | undefined, options: unknown): Promise<SampleRequest> {
  const { guidance, sampler, steps, samplerOption, generator, brownian, ...rest } = readOptions(
    sampleOptions,
    options,
  );
  const {
    seeds = [0, 1, 2, 3, 4, 5, 6, 7],
    label,
    sigmaMin,
    sigmaMax,
    rho,
    schedule,
    scheduler,
    ...where
  } = rest;
  if (where.from !== undefined) {
    refuseRest(options as Record<string, unknown>);
    const { files, label: own, labels, ...sampling } = await recipeIn(where.from);
    const label = own === undefined ? labels : own;
    return { model: model ?? sampling.model, sampling: { ...sampling, label }, files, where };
  }
  if (scheduler !== undefined) refuseBeside(options as Record<string, unknown>);
  if (model === undefined) {
    throw new UsageError("sample wants a model: a shipped name, a training's folder or a .safetensors file");
  }
  const sampling = {
    guidance,
    sampler,
    steps,
    seeds,
    sigmaMin,
    sigmaMax,
    rho,
    schedule,
    ...(scheduler !== undefined && { scheduler: await configText(scheduler) }),
    samplerOptions: samplerOption,
    generator,
    brownian,
  };
  return { model, sampling: { ...sampling, label: label === "none" ? null : label }, where };
}

/** Everything that decides the samples, defaults filled in from the model. */
export function resolved(model: Model, { sampling }: SampleRequest): SampleOptions & Model["sampling"] {
  const given = Object.entries(sampling).filter(([, value]) => value !== undefined);
  const all = { ...model.sampling, ...(Object.fromEntries(given) as unknown as SampleOptions) };
  return all.scheduler === undefined ? all : { ...all, sampler: samplingPlan(all, all).sampler.name };
}

/** The text of a scheduler's config; it stays with the samples. */
async function configText(path: string): Promise<string> {
  const text = new TextDecoder().decode(await readBytes(path));
  try {
    schedulerFromConfig(text);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new FileError(`${path}: ${error.message}`, { cause: error });
  }
  return text;
}

async function recipeIn(path: string): Promise<z.output<typeof recipeSchema>> {
  const recipe = readRecipe(await readBytes(path), path);
  if (recipe === null) {
    throw new FileError(`${path} carries no recipe: give a PNG that fairlead wrote and nobody changed`);
  }
  const parsed = recipeSchema.safeParse(recipe);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new FileError(
    `${path} carries a recipe that cannot be repeated: its ${issue.path.join(".")} is wrong`,
  );
}

/** Throws UsageError for what a scheduler's config decides. */
function refuseBeside(options: Record<string, unknown>): void {
  const given = ["sampler", "schedule", "sigmaMin", "sigmaMax", "rho"].find(
    (key) => options[key] !== undefined,
  );
  if (given === undefined) return;
  throw new UsageError(`--scheduler chooses the sampler and the noise levels: leave out --${flagOf(given)}`);
}

function refuseRest(options: Record<string, unknown>): void {
  const given = Object.keys(what).find((key) => {
    const value = options[key];
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
  });
  if (given === undefined) return;
  throw new UsageError(`--from repeats a picture's recipe as it is: leave out --${flagOf(given)}`);
}
