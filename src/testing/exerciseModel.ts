import { isDeepStrictEqual } from "node:util";
import { FairleadError } from "../base/errors.ts";
import {
  type Graph,
  attentionLayers,
  bindShapes,
  costOf,
  readOnnx,
  simplify,
  writeOnnx,
} from "../graph/index.ts";

/** What became of a model: read and rewritten, or refused by an error that says why. */
export type Outcome = "rewritten" | "kept" | "refused";

/**
 * Takes the bytes of a model through what can be done with any: read, write, read again, bind sizes, simplify, write.
 * Throws what is no FairleadError, and when what is written is not what was read.
 */
export function exerciseModel(bytes: Uint8Array): Outcome {
  const graph = unlessRefused(() => readOnnx(bytes, { file: "mutant.onnx" }));
  if (!graph) return "refused";
  const again = readOnnx(writeOnnx(graph), { file: "mutant.onnx" });
  if (!isDeepStrictEqual(again, graph)) throw new Error("the model is not what it was after it was written");
  unlessRefused(() => attentionLayers(graph));
  const rewritten = unlessRefused(() => simplify(bindShapes(graph, smallSizes(graph))));
  if (!rewritten) return "kept";
  unlessRefused(() => costOf(rewritten));
  readOnnx(writeOnnx(rewritten), { file: "rewritten.onnx" });
  return "rewritten";
}

function unlessRefused<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof FairleadError) return null;
    throw error;
  }
}

/** Sizes for all named dimensions, such as fit a small picture. */
function smallSizes(graph: Graph): Record<string, number> {
  const names = graph.inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === "string"));
  return Object.fromEntries(names.map((name) => [name, /batch|^n$|steps/i.test(name) ? 1 : 8]));
}
