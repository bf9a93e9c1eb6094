import { z } from "zod";
import { type DataLikelihood, dataLikelihood } from "../../models/likelihood.ts";
import { type Model, openModel } from "../../models/model.ts";
import { count, duration, fixed } from "../../report/format.ts";
import { createProgress } from "../../report/progress.ts";
import { type Io, print, printJson } from "../io.ts";
import { withRuntime } from "../openRuntime.ts";
import { common, positiveNumber, readOptions, stepCount, wholeNumber } from "../options.ts";

const likelihoodOptions = {
  samples: wholeNumber(1, 1_000_000).optional(),
  data: z.string().optional(),
  label: z.string().optional(),
  steps: stepCount.optional(),
  tolerance: positiveNumber.default(1e-4),
  probes: wholeNumber(1, 10_000).optional(),
  ...common,
};

/** `fairlead likelihood MODEL`: log-likelihood of data under a model. Returns the exit code. */
export async function runLikelihood(io: Io, name: string, given: unknown): Promise<number> {
  const { samples, label, tolerance, threads, device, json, quiet, ...path } = readOptions(
    likelihoodOptions,
    given,
  );
  return withRuntime(io, { threads, device, quiet }, async (runtime) => {
    const model = await openModel(runtime, name);
    try {
      const total = samples ?? (model.denoiser.shape.length === 1 ? 256 : 16);
      const progress = createProgress({
        total,
        unit: "samples",
        label: `likelihood under ${model.name}`,
        stream: io.stderr,
        isTTY: io.stderr.isTTY === true,
        silent: quiet,
      });
      const start = performance.now();
      const result = await dataLikelihood(model, {
        ...path,
        count: total,
        label: label === "none" ? null : label,
        rtol: tolerance,
        atol: tolerance,
        onProgress: (done) => progress.update(done),
      });
      progress.done();
      const seconds = (performance.now() - start) / 1000;
      const said = { ...summary(model, result), seconds };
      if (json) printJson(io, { ...said, each: Array.from(result.nats) });
      else for (const line of linesOf(said)) print(io, line);
    } finally {
      await model.dispose();
    }
    return 0;
  });
}

/** A mean and its standard error, null of one value alone. */
interface Mean {
  readonly mean: number;
  readonly error: number | null;
}

interface Summary {
  readonly model: string;
  readonly data: string;
  readonly samples: number;
  readonly dimensions: number;
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  readonly nats: Mean;
  readonly bitsPerDimension: Mean;
  /** The exact density of the same points, and what the model loses to it. */
  readonly exact: { readonly nats: Mean; readonly lost: Mean } | null;
  readonly visits: number;
}

function summary(model: Model, { data, nats, bitsPerDimension, exact, visits }: DataLikelihood): Summary {
  const { sigmaMin, sigmaMax } = model.sampling;
  return {
    model: model.name,
    data,
    samples: nats.length,
    dimensions: model.denoiser.shape.reduce((a, b) => a * b, 1),
    sigmaMin,
    sigmaMax,
    nats: meanOf(nats),
    bitsPerDimension: meanOf(bitsPerDimension),
    exact: exact && { nats: meanOf(exact), lost: meanOf(exact.map((value, i) => value - nats[i])) },
    visits,
  };
}

function meanOf(values: Float64Array): Mean {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const spread = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: n > 1 ? Math.sqrt(spread / (n - 1) / n) : null };
}

function linesOf(said: Summary & { readonly seconds: number }): string[] {
  const { model, data, samples, dimensions, sigmaMin, sigmaMax, exact, visits, seconds } = said;
  const shown = ({ mean, error }: Mean): string =>
    `${fixed(mean, 3)}${error === null ? "" : ` +- ${fixed(error, 3)}`}`;
  return [
    `${count(samples)} of ${data} under ${model}, followed from sigma ${sigmaMin} to ${sigmaMax}: ${duration(seconds)}, ${count(Math.round(visits))} places on each path`,
    `log p: ${shown(said.nats)} nats`,
    `bits per dimension: ${shown(said.bitsPerDimension)}, of ${count(dimensions)} dimensions`,
    ...(exact ? [`exact log p: ${shown(exact.nats)} nats; the model loses ${shown(exact.lost)}`] : []),
  ];
}
