import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "../../base/errors.ts";
import {
  type Comparison,
  type ModelComparison,
  cardTable,
  compareModel,
  comparisonJson,
  methodTable,
  writeComparison,
} from "../../compare/index.ts";
import { samplerByName } from "../../diffusion/samplers/index.ts";
import { parseSchedule } from "../../diffusion/schedules.ts";
import { parseGuidance } from "../../guidance/spec.ts";
import { shippedModels } from "../../models/bundle.ts";
import { type Model, openModel } from "../../models/model.ts";
import { labelsFor } from "../../models/sample.ts";
import { terminalTable } from "../../report/table.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { commandLine } from "../commandLine.ts";
import { type Io, print, printJson } from "../io.ts";
import { withRuntime } from "../openRuntime.ts";
import { common, output, positiveNumber, readOptions, seeds, stepCount, wholeNumber } from "../options.ts";
import { withOutFolder } from "../outFolder.ts";
import { formatSeeds } from "../seeds.ts";
import { statusLine } from "../statusLine.ts";
import { versions } from "../version.ts";

const compareOptions = {
  guidance: z.array(z.string()).optional(),
  seeds: seeds.optional(),
  samples: wholeNumber(2, 1_000_000).optional(),
  sampler: z.string().optional(),
  steps: stepCount.optional(),
  schedule: z.string().optional(),
  label: z.string().optional(),
  match: z.enum(["evaluations", "effective-weight"], { error: "evaluations or effective-weight" }).optional(),
  matchTo: positiveNumber.optional(),
  ...common,
  ...output,
};

type Options = z.output<z.ZodObject<typeof compareOptions>>;

/** `fairlead compare`: guidance methods side by side, as a page, pictures and a table. Returns the exit code. */
export async function runCompare(io: Io, given: readonly string[], rawOptions: unknown): Promise<number> {
  const options = readOptions(compareOptions, rawOptions);
  for (const spec of options.guidance ?? []) parseGuidance(spec);
  if (options.sampler !== undefined) samplerByName(options.sampler);
  if (options.schedule !== undefined) parseSchedule(options.schedule);
  checkMatch(options);
  const names = given.length > 0 ? given : await shippedModels();
  if (names.length === 0) {
    throw new UsageError(
      "no models come with this copy of fairlead: name the folder of a training to compare on",
    );
  }
  const { out, overwrite, json } = options;
  await withOutFolder({ out, overwrite, stem: "fairlead-compare" }, async (folder) => {
    const models = await withRuntime(io, options, (runtime) => compareAll(runtime, io, names, options));
    const comparison: Comparison = { command: typed(given, options), versions: versions(), models };
    const files = await writeComparison(comparison, folder);
    if (json) printJson(io, { out: folder, files, ...(comparisonJson(comparison) as object) });
    else for (const line of summary(comparison, folder)) print(io, line);
  });
  return 0;
}

/** Compares on each model in turn; what is wrong for any of them is said before the first sample. */
async function compareAll(
  runtime: Runtime,
  io: Io,
  names: readonly string[],
  { label: text, quiet, seeds: shown, ...options }: Options,
): Promise<ModelComparison[]> {
  const label = text === "none" ? null : text;
  const status = statusLine(io.stderr, quiet);
  const models: Model[] = [];
  try {
    for (const name of names) models.push(await openModel(runtime, name));
    for (const model of models) labelsFor(model, { seeds: [0], label });
    const compared: ModelComparison[] = [];
    for (const model of models) {
      const onProgress = (done: number, total: number, doing: string): void =>
        status.show(`${doing}  ${Math.floor((100 * done) / total)} %`);
      compared.push(await compareModel(model, { ...comparing(options), seeds: shown, label, onProgress }));
      // Its sessions hold memory that the next model can use.
      await model.dispose();
    }
    return compared;
  } finally {
    status.end();
    await Promise.all(models.map((model) => model.dispose()));
  }
}

function comparing({
  guidance,
  samples,
  sampler,
  steps,
  schedule,
  match,
  matchTo,
}: Omit<Options, "seeds" | "label" | "quiet">) {
  return { guidance, samples, sampler, steps, schedule, match, matchTo };
}

/** More evaluations a sample are a mistake in writing. */
const MOST_EVALUATIONS = 10_000;

function checkMatch({ match, matchTo }: Options): void {
  if (matchTo === undefined) return;
  if (match === undefined) {
    throw new UsageError(
      "--match-to says what --match is to hold equal: add --match evaluations or effective-weight",
    );
  }
  if (match === "evaluations" && !(Number.isInteger(matchTo) && matchTo <= MOST_EVALUATIONS)) {
    throw new UsageError(
      `--match-to wants a whole number of evaluations, at most ${MOST_EVALUATIONS}, got ${matchTo}`,
    );
  }
}

/** What to type for the same comparison. */
function typed(
  models: readonly string[],
  { guidance, seeds: shown, samples, sampler, steps, schedule, label, match, matchTo }: Options,
): string {
  const words: (string | number)[] = ["fairlead", "compare", ...models];
  if (guidance) words.push("--guidance", ...guidance);
  if (shown) words.push("--seeds", formatSeeds(shown));
  const plain = { samples, sampler, steps, schedule, label, match, "match-to": matchTo };
  for (const [key, value] of Object.entries(plain)) {
    if (value !== undefined) words.push(`--${key}`, value);
  }
  return commandLine(words);
}

function summary({ models }: Comparison, folder: string): string[] {
  const lines = models.flatMap((model) => {
    const card = cardTable(model);
    const title = model.description === "" ? model.model : `${model.model}: ${model.description}`;
    return [title, "", terminalTable(methodTable(model)), "", ...(card ? [terminalTable(card), ""] : [])];
  });
  return [...lines, `pictures and tables: ${join(folder, "index.html")}`];
}
