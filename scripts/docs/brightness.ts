import { join } from "node:path";
import { saveOnnxFile } from "../../src/files/onnxFile.ts";
import { trace } from "../../src/graph/builder.ts";
import { reduceMean } from "../../src/graph/ops/reduce.ts";
import { root } from "./markdown.ts";

/** Writes the score that the page of score guidance is shown with: the mean of an image's pixels, as an ONNX file. */
export async function writeBrightness(): Promise<void> {
  const x = { shape: [1, 1, 32, 32] };
  const graph = trace({ x }, ({ x: image }) => ({ brightness: reduceMean(image, [1, 2, 3]) }));
  await saveOnnxFile(graph, join(root, "docs/guidance/brightness.onnx"));
}
