import * as ort from "onnxruntime-node";
import { FairleadError, UsageError } from "../base/errors.ts";
import type { Graph, NamedType } from "../graph/graph.ts";
import { writeOnnx } from "../graph/onnx/writeOnnx.ts";
import { checkFetches, checkTensor } from "./checkTensor.ts";
import type { Program, Runtime, RuntimeTensor } from "./runtime.ts";

export interface NodeRuntimeOptions {
  /** Where networks run. Default "cpu". */
  readonly device?: "cpu" | "webgpu";
  /** Threads of one operator. Default: as many as there are cores. */
  readonly threads?: number;
  /** Graph optimisation by ONNX Runtime. Default "all". */
  readonly optimisation?: "disabled" | "basic" | "extended" | "all";
  /** Writes a JSON profile with this file name in front of a date. */
  readonly profile?: string;
}

/** Runs graphs by onnxruntime-node. */
export function nodeRuntime(options: NodeRuntimeOptions = {}): Runtime {
  const { device = "cpu", threads = 0, optimisation = "all", profile } = options;
  if (!Number.isInteger(threads) || threads < 0) {
    throw new UsageError(`threads is a whole number of 1 or more, or 0 for all cores, got ${threads}`);
  }
  return {
    name: `${device} (onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}, ${threads || "all"} threads)`,
    lanes: 1,
    async compile(graph: Graph): Promise<Program> {
      let session: ort.InferenceSession;
      try {
        session = await ort.InferenceSession.create(writeOnnx(graph), {
          executionProviders: [device],
          graphOptimizationLevel: optimisation,
          intraOpNumThreads: threads,
          interOpNumThreads: 1,
          logSeverityLevel: 4,
          ...(profile && { enableProfiling: true, profileFilePrefix: profile }),
        });
      } catch (error) {
        throw compileError(error as Error, graph, device);
      }
      return program(session, graph);
    },
  };
}

function compileError(error: Error, graph: Graph, device: string): FairleadError {
  // ONNX Runtime puts where in its own sources it failed in front of why.
  const reason = error.message.replace(/^.*(?=Failed to )/s, "").trim();
  if (device === "webgpu" && /adapter|WebGPU|provider/i.test(error.message)) {
    return new FairleadError(
      `WebGPU cannot be used here (${reason}): install a Vulkan driver, or use the device "cpu"`,
    );
  }
  return new FairleadError(`ONNX Runtime refused the graph "${graph.name}": ${reason}`);
}

function program(session: ort.InferenceSession, graph: Graph): Program {
  const types = new Map([...graph.inputs, ...graph.outputs].map((type) => [type.name, type]));
  const outputs = graph.outputs.map(({ name }) => name);
  let open = true;
  return {
    async run(feeds, fetches = {}) {
      checkFetches(fetches, outputs);
      const inputs: Record<string, ort.Tensor> = {};
      for (const type of graph.inputs) inputs[type.name] = toOrt(feeds[type.name], type);
      const wanted: Record<string, ort.Tensor | null> = {};
      for (const name of outputs) {
        wanted[name] = fetches[name] ? toOrt(fetches[name], types.get(name)!) : null;
      }
      const results = await session.run(inputs, wanted).catch((error: Error) => {
        throw new FairleadError(`running "${graph.name}" failed: ${error.message.trim()}`);
      });
      return Object.fromEntries(outputs.map((name) => [name, fetches[name] ?? fromOrt(results[name])]));
    },
    async dispose() {
      if (!open) return;
      open = false;
      await session.release();
    },
  };
}

/** A tensor wrapped without a copy. */
function toOrt(value: RuntimeTensor | undefined, type: NamedType): ort.Tensor {
  const { data, shape } = checkTensor(value, type);
  return new ort.Tensor(type.dtype as "float32", data as Float32Array, shape);
}

function fromOrt(value: ort.Tensor): RuntimeTensor {
  return { data: value.data as RuntimeTensor["data"], shape: value.dims };
}
