import { createHash } from "node:crypto";
import { join } from "node:path";
import { FileError } from "../base/errors.ts";
import type { Labels } from "../diffusion/denoiser.ts";
import { formatGuidance, parseGuidance } from "../guidance/spec.ts";
import { type Bundle, locateModel } from "../models/bundle.ts";
import { scoreFiles } from "../models/openScore.ts";
import type { SampleOptions } from "../models/sample.ts";
import type { Recipe } from "../report/png.ts";
import { readBytes } from "../files/atomicFile.ts";
import { commandLine } from "./commandLine.ts";
import { formatSeeds } from "./seeds.ts";
import { versions } from "./version.ts";

/** SHA-256 of each file that a guidance uses, by its part: network, unconditional, guide, classifier, extractor, score, target. */
export async function filesUsed(model: string, guidance: string): Promise<Record<string, string>> {
  const { folder, bundle } = await locateModel(model);
  const own = Object.entries(partsOf(bundle, guidance)).map(([part, file]) => [part, join(folder, file)]);
  const hashes: Record<string, string> = {};
  for (const [part, path] of [...own, ...Object.entries(scoreFiles(guidance))]) {
    hashes[part] = createHash("sha256")
      .update(await readBytes(path))
      .digest("hex");
  }
  return hashes;
}

/** Throws FileError where a model's files are not those that a recipe was made with. */
export function checkFiles(
  model: string,
  want: Readonly<Record<string, string>>,
  got: Readonly<Record<string, string>>,
): void {
  const part = Object.keys(want).find((key) => want[key] !== got[key]);
  if (part === undefined) return;
  throw new FileError(
    `the ${part} of ${model} is not the one that made the picture (SHA-256 ${(got[part] ?? "none").slice(0, 12)}, ` +
      `wanted ${want[part].slice(0, 12)}): give the MODEL that made it`,
  );
}

export interface RecipeParts {
  readonly model: string;
  readonly files: Readonly<Record<string, string>>;
  readonly sampling: SampleOptions & {
    readonly sampler: string;
    readonly steps: number;
    readonly sigmaMin: number;
    readonly sigmaMax: number;
    readonly rho: number;
    readonly schedule: string;
  };
  /** The class of each of the seeds, or null. */
  readonly labels: Labels | null;
  readonly device: string;
}

/** All that is needed to make samples again. */
export function sampleRecipe({ model, files, sampling, labels, device }: RecipeParts): Recipe {
  const { seeds, sampler, steps, sigmaMin, sigmaMax, rho, schedule, scheduler } = sampling;
  const { samplerOptions = {} } = sampling;
  const { generator = "philox", brownian = false } = sampling;
  const guidance = formatGuidance(parseGuidance(sampling.guidance ?? "none"));
  const options = Object.entries(samplerOptions).flatMap(([key, value]) => [
    "--sampler-option",
    `${key}=${String(value)}`,
  ]);
  const levels = [
    ...["--sampler", sampler, "--sigma-min", sigmaMin, "--sigma-max", sigmaMax, "--rho", rho],
    ...(schedule === "karras" ? [] : ["--schedule", schedule]),
  ];
  const command = commandLine([
    ...["fairlead", "sample", model, "--guidance", guidance, ...labelWords(sampling.label, labels)],
    ...["--seeds", formatSeeds(seeds), "--steps", steps],
    ...(scheduler === undefined ? levels : ["--scheduler", "scheduler_config.json"]),
    ...options,
    ...(generator === "philox" ? [] : ["--generator", generator]),
    ...(brownian ? ["--brownian"] : []),
  ]);
  return {
    command,
    model,
    files,
    guidance,
    seeds,
    label: labels,
    sampler,
    steps,
    sigmaMin,
    sigmaMax,
    rho,
    schedule,
    ...(scheduler !== undefined && { scheduler }),
    samplerOptions,
    generator,
    brownian,
    device,
    versions: versions(),
  };
}

/** --label as it was given; of a list with one class in it, that class. */
function labelWords(label: SampleOptions["label"], labels: Labels | null): (string | number)[] {
  if (label === undefined) return [];
  if (label === null || labels === null) return ["--label", "none"];
  if (typeof label !== "object") return ["--label", label];
  return labels.every((one) => one === labels[0]) ? ["--label", labels[0]] : [];
}

function partsOf(bundle: Bundle, guidance: string): Record<string, string> {
  const parts: Record<string, string | null> = { network: bundle.network };
  for (const spec of parseGuidance(guidance)) {
    if (spec.method === "cfg") parts.unconditional = bundle.unconditional;
    if (spec.method === "classifier") {
      parts.classifier = bundle.classifier;
      parts.unconditional = bundle.unconditional;
    }
    if (spec.method === "clean-classifier") {
      parts.extractor = bundle.extractor;
      parts.unconditional = bundle.unconditional;
    }
    if (spec.method === "autoguidance") {
      parts.guide =
        bundle.guides[(spec.guide as string | undefined) ?? Object.keys(bundle.guides)[0]] ?? null;
    }
  }
  return Object.fromEntries(
    Object.entries(parts).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}
