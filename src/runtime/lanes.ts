import { availableParallelism } from "node:os";
import { UsageError } from "../base/errors.ts";
import { withModel } from "../files/withModel.ts";
import type { Graph } from "../graph/graph.ts";
import { compileError } from "./deviceErrors.ts";
import { threadsInWords } from "./devices.ts";
import { type LaneWorker, startLaneWorker } from "./laneWorker.ts";
import { type Execution, makeProgram } from "./makeProgram.ts";
import { engine } from "./node.ts";
import { openPrograms } from "./openPrograms.ts";
import type { Runtime } from "./runtime.ts";

export interface LanesOptions {
  /** Programs that run at the same time, each on one thread. Default: as many as there are cores. */
  readonly lanes?: number;
}

const sessionOptions = (threads: number) => ({
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  graphOptimizationLevel: "all",
  logSeverityLevel: 4,
});

/**
 * Runs graphs on the CPU in worker threads of one core each. ONNX Runtime's own threads share one small image badly (about
 * 1.3 of 2 cores are used for 32 x 32 images); lanes share nothing, so that two halves of a batch take half the time.
 * What runs alone has the threads of all lanes. Results do not depend on the number of lanes. Dispose of it to end its threads.
 */
export function lanesRuntime({ lanes = availableParallelism() }: LanesOptions = {}): Runtime {
  if (!Number.isInteger(lanes) || lanes < 1) {
    throw new UsageError(`the number of threads is a whole number of 1 or more, got ${lanes}`);
  }
  const workers = Array.from({ length: lanes }, startLaneWorker);
  const programs = openPrograms();
  let ids = 0;
  let disposing: Promise<void> | null = null;
  const dispose = (): Promise<void> => {
    disposing ??= programs.dispose().then(async () => {
      await Promise.all(workers.map((worker) => worker.end()));
    });
    return disposing;
  };
  return {
    device: "cpu",
    name: `cpu (${engine}, ${threadsInWords(lanes)})`,
    lanes,
    compile: (graph, { alone = false } = {}) =>
      programs.compile(graph, async (onDispose) => {
        const id = ids++;
        const chosen = alone ? workers.slice(0, 1) : workers;
        await openInAll(chosen, id, graph, alone ? lanes : 1);
        return makeProgram(laneExecution(chosen, id, graph), onDispose);
      }),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Opens the graph in every lane, with so many threads in each, or in none. */
async function openInAll(
  workers: readonly LaneWorker[],
  id: number,
  graph: Graph,
  threads: number,
): Promise<void> {
  const opened = await withModel(graph, (model) =>
    Promise.allSettled(
      workers.map((worker) => worker.call({ kind: "open", id, model, options: sessionOptions(threads) })),
    ),
  );
  const failed = opened.find((result) => result.status === "rejected");
  if (!failed) return;
  await closeInAll(workers, id);
  throw compileError(failed.reason, graph, "cpu");
}

/** Closes a graph in every lane; one that has ended holds nothing. */
async function closeInAll(workers: readonly LaneWorker[], id: number): Promise<void> {
  await Promise.allSettled(workers.map((worker) => worker.call({ kind: "close", id })));
}

function laneExecution(workers: readonly LaneWorker[], id: number, graph: Graph): Execution {
  const outputs = graph.outputs.map(({ name }) => name);
  return {
    graph,
    device: "cpu",
    execute(inputs) {
      const feeds = inputs.map(([{ name, dtype }, { data, shape }]) => [name, dtype, data, shape]);
      const worker = workers.reduce((least, each) => (each.waiting < least.waiting ? each : least));
      return worker.call({ kind: "run", id, feeds, outputs });
    },
    release: () => closeInAll(workers, id),
  };
}
