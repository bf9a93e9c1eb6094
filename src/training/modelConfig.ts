import { z } from "zod";
import type { BetasSpec } from "../diffusion/betas.ts";
import { betas, timestepSigmas } from "../diffusion/betas.ts";
import { type Preconditioning, preconditioning } from "../diffusion/preconditioning.ts";
import { parseWith, strict, trainingSchema } from "./config.ts";

const count = z.int().min(1);
const positive = z.number().positive();

const networkSchema = z.discriminatedUnion(
  "kind",
  [
    strict({
      kind: z.literal("unet"),
      size: count,
      channels: count,
      patch: count.default(1),
      features: z.array(count).min(1),
      blocks: count.default(1),
      attention: z.array(z.boolean()).min(1),
      headChannels: count,
      groups: count.default(8),
      embedding: z.int().min(2).multipleOf(2).default(128),
      classes: z.int().min(0).default(0),
      modulate: z.boolean().default(true),
    }),
    strict({
      kind: z.literal("encoder"),
      size: count,
      channels: count,
      features: z.array(count).min(1),
      blocks: count.default(1),
      groups: count.default(8),
      embedding: z.int().min(2).multipleOf(2).default(64),
      headChannels: z.int().min(0).default(0),
      width: count.default(128),
      classes: z.int().min(2),
      noiseAware: z.boolean(),
    }),
    strict({
      kind: z.literal("density"),
      dims: count,
      layers: count,
      hidden: count,
      sigmaData: positive.default(0.5),
    }),
    strict({
      kind: z.literal("planar-classifier"),
      dims: count,
      layers: count,
      hidden: count,
      classes: z.int().min(2),
    }),
  ],
  { error: "kind must be one of unet, encoder, density, planar-classifier" },
);

const logSigma = strict({ mean: z.number(), std: positive });
const betasSchema = z.looseObject({ kind: z.enum(["linear", "scaled-linear", "cosine"]) });

const objectiveSchema = z.discriminatedUnion(
  "kind",
  [
    /** EDM: ln(sigma) normal, F's target of unit variance (arXiv:2206.00364, Eq. 8). */
    strict({
      kind: z.literal("edm"),
      sigmaData: positive.default(0.5),
      logSigma: logSigma.prefault({ mean: -1.2, std: 1.2 }),
    }),
    /** Algorithm 1 of DDPM: a uniform timestep, squared error of the noise (arXiv:2006.11239). */
    strict({ kind: z.literal("ddpm"), betas: betasSchema.prefault({ kind: "linear" }) }),
    /** Squared error of the score against the exact one of a known density, times sigma^2. */
    strict({ kind: z.literal("exact-score"), logSigma: logSigma.prefault({ mean: -2.3, std: 1.5 }) }),
    /** Cross-entropy on images noised as for EDM: a noise-aware classifier. */
    strict({
      kind: z.literal("noisy-classifier"),
      sigmaData: positive.default(0.5),
      logSigma: logSigma.prefault({ mean: -0.8, std: 1.6 }),
    }),
    /** Cross-entropy on clean images, shifted at random by up to `shift` pixels. */
    strict({ kind: z.literal("classifier"), shift: z.int().min(0).default(2) }),
  ],
  { error: "kind must be one of edm, ddpm, exact-score, noisy-classifier, classifier" },
);

/** What is learned from what: stands in every model file, enough to build the network again. */
export const modelSchema = strict({
  network: networkSchema,
  objective: objectiveSchema,
  data: strict({
    /** A data set ("fashion-mnist", "sample", a folder) or a 2-D distribution ("tree", "rings", ...). */
    name: z.string().min(1),
    /** Only these classes; null: all. */
    classes: z.array(z.int().min(0)).min(1).nullable().default(null),
  }),
  /** Probability of dropping the condition of a training sample. */
  dropCondition: z.number().min(0).max(1).default(0),
});

/** Everything `fairlead train` is told. */
export const runSchema = strict({ ...modelSchema.shape, training: trainingSchema });

export type ModelConfig = z.output<typeof modelSchema>;
export type RunConfig = z.output<typeof runSchema>;
export type RunInput = z.input<typeof runSchema>;
export type ObjectiveConfig = ModelConfig["objective"];

/** A run's configuration with its defaults filled in. Throws UsageError naming the first key that is wrong. */
export function parseRun(value: unknown, where = ""): RunConfig {
  return parseWith(runSchema, value, where);
}

/** The part of a configuration that a model file carries. */
export function parseModel(value: unknown, where = "config"): ModelConfig {
  return parseWith(modelSchema, value, where);
}

/** How the trained network becomes a denoiser; null for classifiers. */
export function preconditioningOf(objective: ObjectiveConfig): Preconditioning | null {
  switch (objective.kind) {
    case "edm":
      return preconditioning({ kind: "edm", sigmaData: objective.sigmaData });
    case "ddpm":
      return preconditioning({ kind: "eps", betas: objective.betas as BetasSpec });
    case "exact-score":
      return preconditioning({ kind: "score" });
    case "noisy-classifier":
    case "classifier":
      return null;
  }
}

/** The noise levels of DDPM's timesteps, ascending. */
export function ddpmSigmas(spec: unknown): Float64Array {
  return timestepSigmas(betas(spec as BetasSpec));
}
