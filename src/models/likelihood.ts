import { UsageError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";
import type { Tensor } from "../base/tensor.ts";
import { concatRows, rows, sizeOf } from "../base/tensor.ts";
import { openDataset } from "../data/openDataset.ts";
import type { Labels } from "../diffusion/denoiser.ts";
import { pulledBack } from "../diffusion/likelihood/jacobian.ts";
import {
  type Likelihood,
  type LikelihoodOptions,
  logLikelihood,
} from "../diffusion/likelihood/likelihood.ts";
import { mixtureOfData } from "../training/objectives/exactScore.ts";
import type { Model } from "./model.ts";
import { labelsFor } from "./sample.ts";

export interface DataLikelihoodOptions extends Pick<LikelihoodOptions, "steps" | "rtol" | "atol" | "probes"> {
  /** Points or images to take, a whole number from 1. */
  readonly count: number;
  /** Images: the name of a data set or a folder of pictures. Default: the sample that comes along, or the test images of the model's data. */
  readonly data?: string;
  /** The class of all, by name or index; null: no condition. Default: each image's own class; for points, classes in turn. */
  readonly label?: string | number | null;
  /** Hears how many are done. */
  readonly onProgress?: (done: number) => void;
}

/** Log-likelihoods of data under a model. */
export interface DataLikelihood extends Pick<Likelihood, "nats" | "bitsPerDimension"> {
  /** What they are of. */
  readonly data: string;
  readonly labels: Labels | null;
  /** The exact log density of the same points, where the data has one. */
  readonly exact: Float64Array | null;
  /** Places on the path, in the mean over pieces of the batch. */
  readonly visits: number;
}

/** Rows whose path is followed together. */
const PIECE = { images: 8, points: 256 };

/**
 * Log-likelihood of held-out data under a model, by `logLikelihood` between the model's own noise levels.
 *
 * Points are drawn from the data's exact law, one a seed 0, 1, 2, ... Images are spread evenly over the data set; each byte is taken for
 * a random place in its bin of width 2/255, so that bits per dimension are an upper bound of the model's for bytes.
 * Throws UsageError for data of another shape, and where points come from a law that is not known.
 */
export async function dataLikelihood(model: Model, options: DataLikelihoodOptions): Promise<DataLikelihood> {
  const { steps, rtol, atol, probes, onProgress } = options;
  const { sigmaMin, sigmaMax, rho } = model.sampling;
  const isPoint = model.denoiser.shape.length === 1;
  const { name, x, labels, exact } = isPoint ? points(model, options) : await images(model, options);

  const size = isPoint ? PIECE.points : PIECE.images;
  const parts: Likelihood[] = [];
  for (let start = 0; start < x.shape[0]; start += size) {
    const end = Math.min(start + size, x.shape[0]);
    const curvature = pulledBack(model.denoiser, labels && labels.slice(start, end));
    const seeds = Array.from({ length: end - start }, (_, i) => start + i);
    const path = { sigmaMin, sigmaMax, rho, steps, rtol, atol, probes, seeds };
    parts.push(
      await logLikelihood(curvature, rows(x, start, end), { ...path, binWidth: isPoint ? 1 : 2 / 255 }),
    );
    onProgress?.(end);
  }
  const joined = (what: "nats" | "bitsPerDimension"): Float64Array =>
    Float64Array.from(parts.flatMap((part) => Array.from(part[what])));
  const visits = parts.reduce((sum, part) => sum + part.visits, 0) / parts.length;
  return {
    data: name,
    labels,
    nats: joined("nats"),
    bitsPerDimension: joined("bitsPerDimension"),
    exact,
    visits,
  };
}

interface Held {
  readonly name: string;
  readonly x: Tensor;
  readonly labels: Labels | null;
  readonly exact: Float64Array | null;
}

function points(model: Model, { count, data, label }: DataLikelihoodOptions): Held {
  if (data !== undefined)
    throw new UsageError(`${model.name} learned points of the plane, which are drawn: leave out --data`);
  const truth = mixtureOfData(model.config.data);
  const seeds = Array.from({ length: count }, (_, i) => i);
  const x = concatRows(seeds.map((seed) => truth.sample(philox(seed, 0), 1)));
  const known = labelsFor(model, { seeds, label });
  const labels = model.denoiser.classes > 0 ? known : null;
  return { name: model.config.data.name, x, labels, exact: truth.logDensity(x, model.sampling.sigmaMin) };
}

async function images(model: Model, { count, data, label }: DataLikelihoodOptions): Promise<Held> {
  const learned = model.config.data.name.split(":")[0];
  const name = data ?? (learned === "fashion-mnist" ? "sample" : `${learned}:test`);
  const { shape } = model.denoiser;
  const [channels, , width] = shape;
  const set = await openDataset(name, { size: width, channels: channels === 1 ? 1 : 3 });
  if (set.shape.join() !== shape.join()) {
    throw new UsageError(
      `${model.name} takes images of ${shape.join(" x ")}, those of ${name} are ${set.shape.join(" x ")}`,
    );
  }
  const n = Math.min(count, set.count);
  const indices = Array.from({ length: n }, (_, i) => Math.floor((i * set.count) / n));
  const values = new Float32Array(n * sizeOf(shape));
  const own = set.batch(indices, values);
  const size = sizeOf(shape);
  indices.forEach((index, row) => {
    const stream = philox(index, 0);
    for (let i = row * size; i < (row + 1) * size; i++) values[i] += (stream.uniform() - 0.5) * (2 / 255);
  });
  const isOwn = label === undefined && model.resources.conditional && set.labels !== null;
  const labels = isOwn
    ? own
    : labelsFor(model, { seeds: indices, label: label === undefined ? null : label });
  return { name, x: { data: values, shape: [n, ...shape] }, labels, exact: null };
}
