import { z } from "zod";
import { UsageError } from "../base/errors.ts";

/** An object schema that refuses unknown keys by name and lists the known ones. */
export function strict<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return undefined;
      return `unknown key ${issue.keys.map((key) => `"${key}"`).join(", ")}; known are ${Object.keys(shape).join(", ")}`;
    },
  });
}

const positive = z.number().positive();
const count = z.int().min(1);
const fraction = z.number().min(0).lt(1);

const optimiserSchema = strict({
  kind: z.enum(["adam", "adamw"]).default("adam"),
  learningRate: positive.default(1e-3),
  betas: z.tuple([fraction, fraction]).default([0.9, 0.999]),
  eps: positive.default(1e-8),
  weightDecay: z.number().min(0).default(0),
  /** Global 2-norm above which the gradient is scaled down; null: never. */
  clip: positive.nullable().default(null),
});

const warmUpSteps = z.int().min(0).default(0);
const scheduleSchema = z.discriminatedUnion(
  "kind",
  [
    strict({ kind: z.literal("constant"), warmUpSteps }),
    strict({ kind: z.literal("cosine"), warmUpSteps, final: z.number().min(0).max(1).default(0) }),
    strict({ kind: z.literal("inverse-sqrt"), warmUpSteps, referenceSteps: count }),
  ],
  { error: "kind must be one of constant, cosine, inverse-sqrt" },
);

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "a name is letters, digits, dots, dashes and underscores");
const emaSchema = z.discriminatedUnion(
  "kind",
  [
    strict({ name, kind: z.literal("constant"), decay: fraction, warmUp: z.boolean().default(false) }),
    strict({
      name,
      kind: z.literal("half-life"),
      images: positive,
      rampUp: positive.nullable().default(null),
    }),
    strict({ name, kind: z.literal("power"), sigmaRel: z.number().positive().max(0.28) }),
    strict({ name, kind: z.literal("none") }),
  ],
  { error: "kind must be one of constant, half-life, power, none" },
);

/** How something is trained. Counts of images and of steps are told apart by their names: all are images unless named Steps. */
export const trainingSchema = strict({
  /** Decides everything random. */
  seed: z.int().min(0).default(0),
  /** Samples of one step. */
  batchSize: count,
  /** Samples seen in all; the number of steps is images / batchSize, rounded up. */
  images: count,
  optimiser: optimiserSchema.prefault({}),
  schedule: scheduleSchema.prefault({ kind: "constant" }),
  /** The averages kept. The first is the model that previews and model.safetensors show. */
  ema: z
    .array(emaSchema)
    .min(1)
    .default([{ name: "ema", kind: "constant", decay: 0.999, warmUp: true }]),
  /** Image counts at which every average is kept as a model file; or every so many. The last step is always kept. */
  snapshots: z
    .union([z.array(count), strict({ every: count })], {
      error: 'give a list of image counts or {"every": images}',
    })
    .default([]),
  /** Images between previews; 0: none. */
  previewEvery: z.int().min(0).default(0),
  /** Steps averaged in one line of stats.jsonl. */
  statsEverySteps: count.default(50),
  /** A checkpoint is due after so many seconds or steps, whichever comes first; null: not by steps. */
  checkpoint: strict({ seconds: positive.default(60), steps: count.nullable().default(null) }).prefault({}),
}).superRefine((training, context) => {
  const names = training.ema.map((ema) => ema.name);
  const twice = names.find((each, i) => names.indexOf(each) < i);
  if (twice !== undefined) {
    context.addIssue({ code: "custom", path: ["ema"], message: `the name "${twice}" is used twice` });
  }
  const beyond = Array.isArray(training.snapshots)
    ? training.snapshots.find((at) => at > training.images)
    : undefined;
  if (beyond !== undefined) {
    const message = `a snapshot at ${beyond} images lies beyond the training's ${training.images}`;
    context.addIssue({ code: "custom", path: ["snapshots"], message });
  }
});

export type TrainingConfig = z.output<typeof trainingSchema>;
export type TrainingInput = z.input<typeof trainingSchema>;

/** A training configuration with its defaults filled in. Throws UsageError naming the first key that is wrong. */
export function parseTraining(value: unknown, where = "training"): TrainingConfig {
  return parseWith(trainingSchema, value, where);
}

/** `value` checked by `schema`, defaults filled in. Throws UsageError: the key's path under `where`, what was wanted, what came. */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = [where, ...issue.path.map(String)].filter((part) => part !== "").join(".");
  const wanted = issue.message.replace(/^Invalid (input|option): /, "").replace(/^Too (small|big): /, "");
  const came = issue.code === "unrecognized_keys" ? "" : `, got ${shown(at(value, issue.path))}`;
  throw new UsageError(`${path}: ${wanted}${came}`);
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (part, key) => (part as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
}

function shown(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}
