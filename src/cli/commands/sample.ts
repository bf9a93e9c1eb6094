import type { Tensor } from "../../base/tensor.ts";
import { concatRows } from "../../base/tensor.ts";
import { type Model, openModel } from "../../models/model.ts";
import { type SampleOptions, type Samples, labelsFor, sampleAll } from "../../models/sample.ts";
import { counted, duration } from "../../report/format.ts";
import { createProgress } from "../../report/progress.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { type Io, print, printJson } from "../io.ts";
import { withRuntime } from "../openRuntime.ts";
import { withOutFolder } from "../outFolder.ts";
import { type RecipeParts, checkFiles, filesUsed, sampleRecipe } from "../sampleRecipe.ts";
import { type SampleRequest, resolved, sampleRequest } from "../sampleRequest.ts";
import { writeImages, writePoints } from "../writeSamples.ts";

/** Samples made at once: a whole number of the denoiser's own batches. */
const chunk = { images: 256, points: 8192 };

/** `fairlead sample`: samples a model and writes pictures (or points) with their recipe. Returns the exit code. */
export async function runSample(io: Io, model: string | undefined, options: unknown): Promise<number> {
  const request = await sampleRequest(model, options);
  await withRuntime(io, request.where, (runtime) => sampleWith(runtime, io, request));
  return 0;
}

async function sampleWith(runtime: Runtime, io: Io, request: SampleRequest): Promise<void> {
  const { out, overwrite, json, quiet } = request.where;
  const opened = await openModel(runtime, request.model);
  try {
    const sampling = resolved(opened, request);
    const files = await filesUsed(request.model, sampling.guidance ?? "none");
    if (request.files) checkFiles(request.model, request.files, files);
    const labels = labelsFor(opened, sampling);
    const parts: RecipeParts = { model: request.model, files, sampling, labels, device: runtime.device };
    const recipe = sampleRecipe(parts);

    const result = await withOutFolder({ out, overwrite, stem: "fairlead-sample" }, async (folder) => {
      const start = performance.now();
      const samples = await draw(io, opened, { ...sampling, label: labels ?? sampling.label }, quiet);
      const seconds = (performance.now() - start) / 1000;
      const written =
        opened.denoiser.shape.length === 1
          ? await writePoints(folder, opened, samples, recipe)
          : await writeImages(folder, samples, recipe, (index) => recipeOfOne(parts, index));
      return { folder, written, seconds, evaluations: samples.evaluations };
    });

    if (json) {
      const { folder, written, ...measured } = result;
      printJson(io, { out: folder, files: written, ...measured, recipe });
    } else {
      for (const line of summary(opened, sampling, recipe.guidance, result)) print(io, line);
    }
  } finally {
    await opened.dispose();
  }
}

/** All samples, in pieces that bound memory. */
async function draw(
  io: Io,
  model: Model,
  sampling: SampleOptions & { steps: number },
  quiet: boolean,
): Promise<Samples> {
  const { seeds, label, steps } = sampling;
  const size = model.denoiser.shape.length === 1 ? chunk.points : chunk.images;
  const progress = createProgress({
    total: seeds.length,
    unit: "samples",
    label: `sampling ${model.name}`,
    stream: io.stderr,
    isTTY: io.stderr.isTTY === true,
    silent: quiet,
  });
  const parts: Tensor[] = [];
  let last: Samples | null = null;
  for (let at = 0; at < seeds.length; at += size) {
    const some = seeds.slice(at, at + size);
    const own = Array.isArray(label) ? (label as readonly number[]).slice(at, at + size) : label;
    last = await sampleAll(model, { ...sampling, seeds: some, label: own }, ({ index }) => {
      progress.update(at + Math.floor((some.length * (index + 1)) / (steps + 1)));
    });
    parts.push(last.x);
    progress.update(at + some.length);
  }
  progress.done();
  return { ...last!, x: concatRows(parts) };
}

/** The recipe of one sample alone: it depends on no other. */
function recipeOfOne(parts: RecipeParts, index: number): ReturnType<typeof sampleRecipe> {
  const { sampling, labels } = parts;
  const label = labels ? [labels[index]] : sampling.label;
  return sampleRecipe({
    ...parts,
    sampling: { ...sampling, seeds: [sampling.seeds[index]], label },
    labels: labels && [labels[index]],
  });
}

function summary(
  { name, denoiser }: Model,
  { seeds, sampler, steps }: RecipeParts["sampling"],
  guidance: string,
  {
    folder,
    written,
    seconds,
    evaluations,
  }: { folder: string; written: string[]; seconds: number; evaluations: Samples["evaluations"] },
): string[] {
  const { networks, gradients } = evaluations;
  const cost = `${counted(networks, "network evaluation")}${gradients > 0 ? ` and ${counted(gradients, "gradient")}` : ""} each`;
  const made =
    denoiser.shape.length === 1 ? written.join(", ") : `${counted(seeds.length, "picture")} and grid.png`;
  return [
    `${counted(seeds.length, "sample")} of ${name}, guidance ${guidance}, ${sampler} with ${counted(steps, "step")}: ${duration(seconds)}, ${cost}`,
    `${made} in ${folder}`,
  ];
}
