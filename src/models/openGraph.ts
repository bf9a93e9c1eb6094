import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../base/errors.ts";
import type { Graph } from "../graph/graph.ts";
import { networkLayout } from "../networks/network.ts";
import { networkGraph } from "../networks/networkGraph.ts";
import { openOnnxFile } from "../files/onnxFile.ts";
import { loadModelFile, modelParameters } from "../training/checkpoint.ts";
import { parseModel } from "../training/modelConfig.ts";
import { locateModel } from "./bundle.ts";

export interface OpenedGraph {
  readonly graph: Graph;
  /** The .onnx file that it is in; null for the network of a trained model of ours. */
  readonly file: string | null;
  /** What it is called. */
  readonly name: string;
}

/** Where the denoiser of a pretrained pipeline's folder lies. */
const DENOISERS = ["unet/model.onnx", "transformer/model.onnx", "model.onnx"];

/**
 * The graph that MODEL means: an .onnx file, a folder with one (of a pipeline: its denoiser), or a trained model of ours, whose network is
 * traced for one row. Weights that an .onnx file keeps in other files are not read.
 *
 * Throws UsageError for what means nothing, FileError for a damaged file.
 */
export async function openGraph(model: string): Promise<OpenedGraph> {
  const file = await onnxFileOf(model);
  if (file !== null) return { graph: await openOnnxFile(file), file, name: model };
  const { folder, bundle } = await locateModel(model);
  const path = join(folder, bundle.network);
  const saved = await loadModelFile(path);
  const { network } = parseModel(saved.config, `${path}: config`);
  const parameters = modelParameters(saved, networkLayout(network));
  return { graph: networkGraph(network, parameters, 1), file: null, name: bundle.name };
}

async function onnxFileOf(model: string): Promise<string | null> {
  const found = await stat(model).catch(() => null);
  if (found?.isFile()) return model.endsWith(".safetensors") ? null : model;
  if (model.endsWith(".onnx")) throw new UsageError(`there is no file ${model}`);
  if (!found?.isDirectory()) return null;
  for (const name of DENOISERS) {
    if ((await stat(join(model, name)).catch(() => null))?.isFile()) return join(model, name);
  }
  const names = (await readdir(model)).filter((name) => name.endsWith(".onnx"));
  if (names.length === 0) return null;
  if (names.length === 1) return join(model, names[0]);
  throw new UsageError(`${model} holds several graphs: name one of ${names.join(", ")}`);
}
