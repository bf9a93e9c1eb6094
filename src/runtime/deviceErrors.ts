import { FairleadError } from "../base/errors.ts";
import type { Graph } from "../graph/graph.ts";

const text = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").trim();

export function compileError(error: unknown, graph: Graph, _device: string): FairleadError {
  return new FairleadError(`ONNX Runtime refused the graph "${graph.name}": ${text(error)}`);
}
export function runError(error: unknown, graph: Graph, _device: string): FairleadError {
  return new FairleadError(`running "${graph.name}" failed: ${text(error)}`);
}
