import { UsageError } from "../base/errors.ts";
import type { Branch, Labels } from "../diffusion/denoiser.ts";
import { type EmbeddingNoise, noiseOfRow } from "../diffusion/embeddingNoise.ts";
import type { Graph } from "../graph/graph.ts";
import { embeddingInputs, embeddingOf } from "../graph/perturb/embedding.ts";
import type { RuntimeTensor } from "../runtime/runtime.ts";

/** Widths of the embeddings that a network makes, by the branch's field that puts noise on them; undefined: it makes none. */
export interface EmbeddingWidths {
  readonly conditionNoise?: number;
  readonly levelNoise?: number;
}

type Noisy = keyof EmbeddingWidths;

/** The network's input that each embedding is made of. */
const MADE_OF = { conditionNoise: "labels", levelNoise: "noise" } as const;
const names = { conditionNoise: "the condition", levelNoise: "the noise level" } as const;

export function embeddingWidths(graph: Graph): EmbeddingWidths {
  return {
    conditionNoise: embeddingOf(graph, MADE_OF.conditionNoise)?.width,
    levelNoise: embeddingOf(graph, MADE_OF.levelNoise)?.width,
  };
}

/** What a network is given beside x, in rows: all rows for the first branch, then all for the second, and so on. */
export interface RowInputs {
  readonly rows: number;
  /** Inputs of the network whose embeddings get noise in some rows: what `withEmbeddingNoise` takes. */
  readonly noisy: readonly string[];
  /** The tensors of rows start .. end. */
  feeds(start: number, end: number): Record<string, RuntimeTensor>;
}

interface RowInputOptions {
  /** Rows of x. */
  readonly count: number;
  readonly sigma: number;
  /** Classes of the network. */
  readonly classes: number;
  readonly widths: EmbeddingWidths;
}

/**
 * The inputs of some branches as one batch: labels, noise levels told, and noise on embeddings.
 * Throws UsageError for labels out of range, for lists of another length than x's rows, for levels that are not above 0, and for
 * noise on an embedding that the network does not make.
 */
export function rowInputs(
  branches: readonly Branch<Labels>[],
  { count, sigma, classes, widths }: RowInputOptions,
): RowInputs {
  const labels = branches.flatMap(({ condition }) => labelsOf(condition, count, classes));
  const levels = branches.flatMap(({ told }) => levelsOf(told, sigma, count));
  const noises = (Object.keys(MADE_OF) as Noisy[])
    .filter((which) => branches.some((branch) => branch[which]))
    .map((which) => ({
      input: MADE_OF[which],
      ...noiseRows(
        branches.map((branch) => branch[which]),
        {
          count,
          width: widthOf(widths, which),
          dropped: (row) => which === "conditionNoise" && labels[row] < 0,
        },
      ),
    }));
  return {
    rows: labels.length,
    noisy: noises.map(({ input }) => input),
    feeds(start, end) {
      const rows = end - start;
      const feeds: Record<string, RuntimeTensor> = {
        noise: { data: Float32Array.from(levels.slice(start, end)), shape: [rows] },
        labels: { data: classIndices(labels, start, end, classes), shape: [rows] },
      };
      for (const { input, width, keep, noise, rescale } of noises) {
        const into = embeddingInputs(input);
        feeds[into.keep] = { data: keep.slice(start, end), shape: [rows, 1] };
        feeds[into.rescale] = { data: rescale.slice(start, end), shape: [rows, 1] };
        feeds[into.noise] = { data: noise.slice(start * width, end * width), shape: [rows, width] };
      }
      return feeds;
    },
  };
}

interface NoiseRows {
  readonly width: number;
  readonly keep: Float32Array;
  readonly noise: Float32Array;
  readonly rescale: Float32Array;
}

interface NoiseRowOptions {
  readonly count: number;
  readonly width: number;
  /** Rows that get none. */
  dropped(row: number): boolean;
}

function noiseRows(
  hows: readonly (EmbeddingNoise | undefined)[],
  { count, width, dropped }: NoiseRowOptions,
): NoiseRows {
  const rows = hows.length * count;
  const noise = new Float32Array(rows * width);
  const [keep, rescale] = [new Float32Array(rows).fill(1), new Float32Array(rows)];
  hows.forEach((how, i) => {
    if (!how) return;
    checkLength(how.seeds, count, "seeds");
    for (let row = 0; row < count; row++) {
      const at = i * count + row;
      if (dropped(at)) continue;
      keep[at] = how.keep;
      rescale[at] = how.rescale;
      noise.set(
        noiseOfRow(how, row, width).map((n) => how.amount * n),
        at * width,
      );
    }
  });
  return { width, keep, noise, rescale };
}

function widthOf(widths: EmbeddingWidths, which: Noisy): number {
  const width = widths[which];
  if (width !== undefined) return width;
  throw new UsageError(`this network makes no embedding of ${names[which]} that noise can be put on`);
}

function labelsOf(condition: Labels | null, count: number, classes: number): Labels {
  if (condition === null) return new Array<number>(count).fill(-1);
  checkLength(condition, count, "labels");
  const wrong = condition.find(
    (label) => !Number.isInteger(label) || label < -1 || (classes > 0 && label >= classes),
  );
  if (wrong !== undefined) {
    throw new UsageError(
      `this network has classes 0 to ${classes - 1} (and -1 for the null condition), got ${wrong}`,
    );
  }
  return condition;
}

function levelsOf(told: readonly number[] | undefined, sigma: number, count: number): readonly number[] {
  if (!told) return new Array<number>(count).fill(sigma);
  checkLength(told, count, "noise levels to be told");
  const wrong = told.find((level) => !(level > 0 && level < Infinity));
  if (wrong !== undefined) throw new UsageError(`a network is told noise levels above 0, got ${wrong}`);
  return told;
}

function checkLength(list: readonly number[], count: number, what: string): void {
  if (list.length !== count)
    throw new UsageError(`${count} samples take ${count} ${what}, got ${list.length}`);
}

function classIndices(labels: Labels, start: number, end: number, classes: number): BigInt64Array {
  const indices = new BigInt64Array(end - start);
  for (let i = start; i < end; i++) indices[i - start] = BigInt(labels[i] < 0 ? classes : labels[i]);
  return indices;
}
