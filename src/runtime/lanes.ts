import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { FairleadError, UsageError } from "../base/errors.ts";
import type { Graph } from "../graph/graph.ts";
import { writeOnnx } from "../graph/onnx/writeOnnx.ts";
import { checkFetches, checkTensor } from "./checkTensor.ts";
import type { Program, Runtime, RuntimeTensor } from "./runtime.ts";

export interface LanesOptions {
  /** Programs that run at the same time, each on one thread. Default: as many as there are cores. */
  readonly lanes?: number;
}

/** A runtime of several lanes, with its worker threads. Dispose of it, or the process does not end by itself. */
export interface LanesRuntime extends Runtime {
  dispose(): Promise<void>;
}

/**
 * Runs graphs on the CPU in worker threads of one core each. ONNX Runtime's own threads share one small image badly (about
 * 1.3 of 2 cores are used for 32 x 32 images); lanes share nothing, so that two halves of a batch take half the time.
 * Results do not depend on the number of lanes.
 */
export function lanesRuntime({ lanes = availableParallelism() }: LanesOptions = {}): LanesRuntime {
  if (!Number.isInteger(lanes) || lanes < 1) {
    throw new UsageError(`the number of threads is a whole number of 1 or more, got ${lanes}`);
  }
  const workers = Array.from({ length: lanes }, startWorker);
  let programs = 0;
  return {
    name: `cpu (onnxruntime-node, ${lanes} ${lanes === 1 ? "thread" : "threads"})`,
    lanes,
    async compile(graph) {
      const id = programs++;
      const onnx = writeOnnx(graph);
      const options = {
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        graphOptimizationLevel: "all",
        logSeverityLevel: 4,
      };
      await Promise.all(workers.map((worker) => worker.call({ kind: "open", id, onnx, options }))).catch(
        (error: Error) => {
          throw new FairleadError(`ONNX Runtime refused the graph "${graph.name}": ${error.message.trim()}`);
        },
      );
      return laneProgram(workers, id, graph);
    },
    async dispose() {
      await Promise.all(workers.map((worker) => worker.end()));
    },
  };
}

interface LaneWorker {
  /** Calls in progress. */
  busy: number;
  call(message: Record<string, unknown>): Promise<Record<string, RuntimeTensor>>;
  end(): Promise<unknown>;
}

function startWorker(): LaneWorker {
  const worker = new Worker(new URL("./lane.mjs", import.meta.url));
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let calls = 0;
  /** Called once nothing is waited for. */
  let idle: (() => void) | null = null;
  worker.unref();
  worker.on("message", ({ call, result, error }: { call: number; result?: never; error?: string }) => {
    const { resolve, reject } = waiting.get(call)!;
    waiting.delete(call);
    if (waiting.size === 0) {
      worker.unref();
      idle?.();
    }
    if (error === undefined) resolve(result!);
    else reject(new Error(error));
  });
  worker.on("error", (error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    idle?.();
  });
  return {
    busy: 0,
    call(message) {
      const call = calls++;
      worker.ref();
      return new Promise((resolve, reject) => {
        waiting.set(call, { resolve: resolve, reject });
        worker.postMessage({ ...message, call });
      });
    },
    // A thread that is ended inside ONNX Runtime takes the process with it.
    async end() {
      if (waiting.size > 0) await new Promise<void>((resolve) => (idle = resolve));
      await worker.terminate();
    },
  };
}

function laneProgram(workers: readonly LaneWorker[], id: number, graph: Graph): Program {
  const types = new Map([...graph.inputs, ...graph.outputs].map((type) => [type.name, type]));
  const outputs = graph.outputs.map(({ name }) => name);
  return {
    async run(feeds, fetches = {}) {
      const inputs = graph.inputs.map((type) => {
        const { data, shape } = checkTensor(feeds[type.name], type);
        return [type.name, type.dtype, data, shape];
      });
      checkFetches(fetches, outputs);
      for (const [name, target] of Object.entries(fetches)) checkTensor(target, types.get(name)!);
      const worker = workers.reduce((least, candidate) => (candidate.busy < least.busy ? candidate : least));
      worker.busy++;
      try {
        const results = await worker.call({ kind: "run", id, feeds: inputs, outputs });
        for (const [name, target] of Object.entries(fetches)) {
          (target.data as Float32Array).set(results[name].data as Float32Array);
        }
        return { ...results, ...fetches };
      } catch (error) {
        throw new FairleadError(`running "${graph.name}" failed: ${(error as Error).message.trim()}`);
      } finally {
        worker.busy--;
      }
    },
    async dispose() {
      await Promise.all(workers.map((worker) => worker.call({ kind: "close", id })));
    },
  };
}
