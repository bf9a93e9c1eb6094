import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Graph, writeOnnx } from "../graph/index.ts";
import { LARGEST, modelSize, saveOnnxFile } from "./onnxFile.ts";

/**
 * What `use` makes of a graph's model: of its bytes, or, for a model of more than `largest` bytes, of the path of a
 * temporary .onnx file with its tensors beside it, which is removed afterwards.
 */
export async function withModel<T>(
  graph: Graph,
  use: (model: Uint8Array | string) => Promise<T>,
  largest = LARGEST,
): Promise<T> {
  if (modelSize(graph) <= largest) return use(writeOnnx(graph));
  const folder = await mkdtemp(join(tmpdir(), "fairlead-"));
  try {
    const path = join(folder, "model.onnx");
    await saveOnnxFile(graph, path, { externalThreshold: 1024 });
    return await use(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
