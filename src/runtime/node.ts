import * as ort from "onnxruntime-node";
import { UsageError } from "../base/errors.ts";
import { withModel } from "../files/withModel.ts";
import { compileError } from "./deviceErrors.ts";
import { makeProgram } from "./makeProgram.ts";
import { type Device, threadsInWords } from "./devices.ts";
import { openPrograms } from "./openPrograms.ts";
import type { Runtime } from "./runtime.ts";
import { sessionExecution } from "./session.ts";

/** Where onnxruntime-node can run a graph. */
export type NodeDevice = Exclude<Device, "wasm">;

export interface NodeRuntimeOptions {
  /** Where networks run. Default "cpu". "webgpu" needs a driver, "cuda" ONNX Runtime's CUDA libraries: see docs/devices.md. */
  readonly device?: NodeDevice;
  /** Threads of one operator. Default: as many as there are cores. */
  readonly threads?: number;
  /** Graph optimisation by ONNX Runtime. Default "all". */
  readonly optimisation?: "disabled" | "basic" | "extended" | "all";
  /** Writes a JSON profile with this file name in front of a date. */
  readonly profile?: string;
}

// Whatever fails is thrown, so that ONNX Runtime need not write it to standard error too.
ort.env.logLevel = "fatal";

/** "onnxruntime-node 1.30.0", for the names of runtimes. */
export const engine = `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`;

/** Runs graphs by onnxruntime-node, one at a time. What the device lacks is said when the first graph is compiled. */
export function nodeRuntime(options: NodeRuntimeOptions = {}): Runtime {
  const { device = "cpu", threads = 0, optimisation = "all", profile } = options;
  if (!Number.isInteger(threads) || threads < 0) {
    throw new UsageError(`threads is a whole number of 1 or more, or 0 for all cores, got ${threads}`);
  }
  const { compile, dispose } = openPrograms();
  return {
    device,
    name: `${device} (${engine}, ${threadsInWords(threads)})`,
    lanes: 1,
    compile: (graph) =>
      compile(graph, async (onDispose) => {
        const session = await withModel(graph, (model) =>
          // The declared types take bytes and paths apart only.
          ort.InferenceSession.create(model as string, {
            executionProviders: [device],
            graphOptimizationLevel: optimisation,
            intraOpNumThreads: threads,
            interOpNumThreads: 1,
            logSeverityLevel: 4,
            ...(profile && { enableProfiling: true, profileFilePrefix: profile }),
          }).catch((error: unknown) => {
            throw compileError(error, graph, device);
          }),
        );
        const execution = sessionExecution(session, ort.Tensor, { graph, writesInPlace: true });
        return makeProgram({ graph, device, ...execution }, onDispose);
      }),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
