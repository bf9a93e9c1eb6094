import { UsageError } from "../base/errors.ts";
import { type Tensor, concatRows, rowSize, rows, sameKind, sizeOf } from "../base/tensor.ts";
import type { Graph } from "../graph/graph.ts";
import type { Score } from "../guidance/resources.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import { inPieces } from "./inPieces.ts";
import { type ScoreGraphOptions, embeddingGraph, rowsTaken, scoreGraph } from "./scoreGraph.ts";

export interface NetworkScoreOptions extends Omit<ScoreGraphOptions, "name"> {
  /** What errors call the model. Default: the graph's name. */
  readonly name?: string;
  /** Rows that run at once at most. Default: 4 for images, 1024 for points. */
  readonly maxRows?: number;
}

/** A model that scores samples, as guidance takes it. Its sessions are kept until `dispose`. */
export interface NetworkScore extends Score {
  /** The score of each row of x0, [batch]: the greater, the better. */
  values(x0: Tensor): Promise<Tensor>;
  dispose(): Promise<void>;
}

/**
 * Any ONNX model of samples as a score: its one number a row, or the cosine between its output and a target embedding. The
 * gradient is the model's own graph, differentiated. Cost of a gradient: about three runs of the model.
 *
 * Throws a UsageError at once for a model that cannot score such samples or has no gradient: see `scoreGraph`.
 */
export function networkScore(runtime: Runtime, graph: Graph, options: NetworkScoreOptions): NetworkScore {
  const { shape } = options;
  const run = rowProgram(runtime, graph, options, scoreGraph);
  return {
    async values(x0) {
      const { values } = await run.rows(x0);
      return { data: Float32Array.from(values.data), shape: [x0.shape[0]] };
    },
    async gradient(x0) {
      const { gradient } = await run.rows(x0);
      const data = sameKind(x0.data, x0.shape[0] * sizeOf(shape));
      data.set(gradient.data);
      return { data, shape: x0.shape };
    },
    dispose: run.dispose,
  };
}

/** What an ONNX model gives for samples, [batch, width]: a target for `networkScore` by the same model. */
export async function networkEmbedding(
  runtime: Runtime,
  graph: Graph,
  x0: Tensor,
  options: NetworkScoreOptions,
): Promise<Tensor> {
  const run = rowProgram(runtime, graph, options, embeddingGraph);
  try {
    return (await run.rows(x0)).embedding;
  } finally {
    await run.dispose();
  }
}

type Trace = (graph: Graph, rows: number, options: ScoreGraphOptions) => Graph;

/** Runs a traced model on pieces of a batch and joins each output. Traces one piece at once, for its errors. */
function rowProgram(runtime: Runtime, graph: Graph, options: NetworkScoreOptions, trace: Trace) {
  const named = { name: graph.name, ...options };
  const { shape, maxRows = shape.length === 1 ? 1024 : 4 } = options;
  const taken = rowsTaken(graph, named);
  if (taken !== null && taken !== 1) {
    throw new UsageError(
      `${named.name} takes ${taken} samples at once: export it with an open batch, or for 1`,
    );
  }
  const most = taken ?? maxRows;
  const graphs = new Map([[1, trace(graph, 1, named)]]);
  const programs = new Map<number, Promise<Program>>();

  function programFor(count: number): Promise<Program> {
    const known = programs.get(count);
    if (known) return known;
    const made = runtime.compile(graphs.get(count) ?? trace(graph, count, named));
    programs.set(count, made);
    return made;
  }

  return {
    async rows(x0: Tensor): Promise<Record<string, Tensor>> {
      if (x0.shape.length !== shape.length + 1 || rowSize(x0) !== sizeOf(shape)) {
        throw new UsageError(
          `${named.name} scores samples of shape [${shape.join(", ")}], got [${x0.shape.join(", ")}]`,
        );
      }
      const parts = await inPieces(x0.shape[0], most, runtime.lanes, async (start, end) => {
        const { data, shape: own } = rows(x0, start, end);
        const program = await programFor(end - start);
        return (await program.run({ x: { data: Float32Array.from(data), shape: own } })) as Record<
          string,
          Tensor
        >;
      });
      return Object.fromEntries(
        Object.keys(parts[0]).map((name) => [name, concatRows(parts.map((part) => part[name]))]),
      );
    },
    async dispose(): Promise<void> {
      const made = await Promise.all(programs.values());
      programs.clear();
      await Promise.all(made.map((program) => program.dispose()));
    },
  };
}
