import { existsSync, readFileSync, readdirSync } from "node:fs";
import { encodeFloat16 } from "../src/base/float16.ts";
import type { Graph } from "../src/graph/graph.ts";
import { readOnnx } from "../src/graph/onnx/readOnnx.ts";
import type { Perturbation } from "../src/graph/perturb.ts";
import type { RuntimeTensor } from "../src/runtime/runtime.ts";
import { type NpyArray, readNpy } from "./npy.ts";

/** One exported denoiser with what PyTorch says of it. */
export interface Denoiser {
  /** "sd15-tiny/unet/model.onnx" */
  readonly name: string;
  readonly half: boolean;
  readonly graph: Graph;
  readonly layers: readonly ExpectedLayer[];
  /** The file's own names for each layer's nodes and tensors, by the layer's module. */
  readonly sites: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly calls: readonly Call[];
  readonly sag: { readonly layer: string; readonly map: NpyArray; readonly columnSum: NpyArray } | null;
}

export interface ExpectedLayer {
  readonly name: string;
  readonly kind: "self" | "cross";
  readonly heads: number;
  readonly head_dim: number;
  readonly tokens: number;
  readonly kv_tokens: number;
}

/** Inputs, and what comes out under each perturbation. */
export interface Call {
  readonly id: string;
  readonly feeds: Readonly<Record<string, RuntimeTensor>>;
  readonly cases: readonly {
    readonly id: string;
    readonly how: Perturbation | undefined;
    readonly output: NpyArray;
  }[];
}

interface CaseFile {
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly cases: readonly {
    readonly id: string;
    readonly output: string;
    readonly perturbation: { readonly type: string; readonly sigma?: number | "inf" } | null;
    readonly layers: readonly string[];
    readonly masks?: Readonly<Record<string, string>>;
  }[];
  readonly other_shapes?: readonly (Readonly<Record<string, unknown>> & {
    readonly id: string;
    readonly base: string;
    readonly pag_mid: string;
  })[];
  readonly sag?: { readonly layer: string; readonly attention_probs: string; readonly column_sum: string };
}

interface LayerFile {
  readonly layers: readonly ExpectedLayer[];
  readonly graphs: Readonly<Record<string, { readonly layers: Denoiser["sites"] }>>;
}

const shared = new URL("../../shared/fixtures/pipelines/", import.meta.url).pathname;
const own = new URL("fixtures/pipelines/", import.meta.url).pathname;

/** The folder of all pipelines where it is there, else the one with what the repository holds. */
export const pipelineFolder = existsSync(shared) ? shared : own;

/** Every denoiser of the pipelines' folder whose file is there. */
export function denoisers(): readonly Denoiser[] {
  return readdirSync(pipelineFolder)
    .filter((pipeline) => existsSync(`${pipelineFolder}${pipeline}/expected/layers.json`))
    .flatMap((pipeline) => {
      const folder = `${pipelineFolder}${pipeline}/`;
      const { layers, graphs } = readJson<LayerFile>(`${folder}expected/layers.json`);
      return Object.keys(graphs)
        .filter((file) => existsSync(folder + file))
        .map((file) => ({
          ...opened(folder, file),
          name: `${pipeline}/${file}`,
          layers,
          sites: graphs[file].layers,
        }));
    });
}

function opened(folder: string, file: string): Pick<Denoiser, "graph" | "half" | "calls" | "sag"> {
  const graph = readOnnx(readFileSync(folder + file));
  const half = graph.inputs[0].dtype === "float16";
  const at = `${folder}expected/denoiser/`;
  const { inputs, cases, other_shapes, sag } = readJson<CaseFile>(`${at}cases.json`);
  const mid = cases.find(({ id }) => id === "pag_mid")!;
  const base: Call = {
    id: "base",
    feeds: feedsOf(graph, inputs, at),
    cases: cases.map((one) => ({
      id: one.id,
      how: perturbationOf(one, at),
      output: readNpy(at + one.output),
    })),
  };
  const others = (other_shapes ?? []).map((other): Call => ({
    id: other.id,
    feeds: feedsOf(graph, other, at),
    cases: [
      { id: "base", how: undefined, output: readNpy(at + other.base) },
      { id: "pag_mid", how: { kind: "identity", layers: mid.layers }, output: readNpy(at + other.pag_mid) },
    ],
  }));
  return {
    graph,
    half,
    calls: [base, ...others],
    sag: sag
      ? { layer: sag.layer, map: readNpy(at + sag.attention_probs), columnSum: readNpy(at + sag.column_sum) }
      : null,
  };
}

/** The fixture's description in our words. */
function perturbationOf(
  { perturbation, layers, masks = {} }: CaseFile["cases"][number],
  at: string,
): Perturbation | undefined {
  switch (perturbation?.type) {
    case undefined:
      return undefined;
    case "identity":
      return { kind: "identity", layers };
    case "uniform":
      return { kind: "uniform", layers };
    case "random_mask": {
      const read = Object.entries(masks).map(([layer, file]) => [layer, readNpy(at + file)]);
      return { kind: "mask", layers, masks: Object.fromEntries(read) as Record<string, NpyArray> };
    }
    case "seg": {
      const sigma = perturbation.sigma === "inf" ? Infinity : perturbation.sigma!;
      return { kind: "blur-queries", layers, sigma };
    }
    case "skip_block":
      return { kind: "skip-block", layers };
    case "skip_attention_module":
      return { kind: "skip-attention", layers };
    case "skip_feed_forward":
      return { kind: "skip-feed-forward", layers: layers.map((name) => name.replace(/\.ff$/, "")) };
    case "attention_output_zero":
      return { kind: "zero-attention", layers };
    default:
      throw new Error(`the fixture has a perturbation "${perturbation?.type}" that this test does not know`);
  }
}

function feedsOf(
  graph: Graph,
  given: Readonly<Record<string, unknown>>,
  at: string,
): Record<string, RuntimeTensor> {
  const read = (value: unknown): NpyArray | number[] =>
    typeof value === "string" ? readNpy(at + value) : [value].flat().map(Number);
  const arrays = graph.inputs.map(({ name }) => read(given[name]));
  const batch = (arrays.find((array) => !Array.isArray(array)) as NpyArray).shape[0];
  return Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape }, i) => {
      const array = arrays[i];
      if (!Array.isArray(array)) return [name, tensor(array.data, array.shape, dtype)];
      // One number for all rows, in the form that the graph wants it in.
      const count = shape.length === 0 || shape[0] === "steps" ? 1 : batch;
      const numbers = array.length === 1 ? new Array<number>(count).fill(array[0]) : array;
      return [name, tensor(numbers, shape.length === 0 ? [] : [numbers.length], dtype)];
    }),
  );
}

function tensor(numbers: ArrayLike<number>, shape: readonly number[], dtype: string): RuntimeTensor {
  switch (dtype) {
    case "int64":
      return { data: BigInt64Array.from(Array.from(numbers), BigInt), shape };
    case "float16":
      return { data: encodeFloat16(Float32Array.from(numbers)), shape };
    default:
      return { data: Float32Array.from(numbers), shape };
  }
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, "utf8")) as T;
}

/** The graph with the dimensions that a call's inputs have. */
export function boundTo(graph: Graph, feeds: Readonly<Record<string, RuntimeTensor>>): Graph {
  return { ...graph, inputs: graph.inputs.map((input) => ({ ...input, shape: feeds[input.name].shape })) };
}
