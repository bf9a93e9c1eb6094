/** Runs graphs in a browser: `fairlead/web`. No Node code is reached from here. */
import type * as Ort from "onnxruntime-web";
import { FairleadError, UsageError } from "../base/errors.ts";
import { writeOnnx } from "../graph/onnx/writeOnnx.ts";
import { compileError } from "./deviceErrors.ts";
import { threadsInWords } from "./devices.ts";
import { type Execution, makeProgram } from "./makeProgram.ts";
import { openPrograms } from "./openPrograms.ts";
import type { Runtime } from "./runtime.ts";
import { sessionExecution } from "./session.ts";
import { type Gpu, openGpu } from "./webGpu.ts";

export type { Program, Runtime, RuntimeArray, RuntimeTensor } from "./runtime.ts";

export interface WebRuntimeOptions {
  /**
   * "wasm" is WebAssembly on the processor, "webgpu" the graphics card; "auto" takes the graphics card if there is one and else
   * WebAssembly, and the runtime's name says why. Default "wasm".
   */
  readonly device?: "wasm" | "webgpu" | "auto";
  /**
   * Threads of WebAssembly; the first runtime of a page decides. More than one needs a page that is cross-origin isolated.
   * Default: all cores in such a page, else 1.
   */
  readonly threads?: number;
  /** Graph optimisation by ONNX Runtime. Default "all". */
  readonly optimisation?: "disabled" | "basic" | "extended" | "all";
  /** Address of the folder with onnxruntime-web's .wasm files. Default: beside the script, where bundlers put them. */
  readonly wasmFolder?: string;
}

/**
 * Runs graphs by onnxruntime-web, one at a time: in a browser, or on one thread of WebAssembly in Node.
 *
 * Throws UsageError for threads that the page cannot have, FairleadError where the device or the package is missing.
 */
export async function webRuntime(options: WebRuntimeOptions = {}): Promise<Runtime> {
  const { device: asked = "wasm", threads, optimisation = "all", wasmFolder } = options;
  const { gpu, because } = await choose(asked);
  const device = gpu ? "webgpu" : "wasm";
  const ort = await load(device);
  const where = gpu ? gpu.name : threadsInWords(useThreads(ort, threads));
  if (wasmFolder !== undefined) ort.env.wasm.wasmPaths = wasmFolder;
  ort.env.logLevel = "fatal";

  const guarded = gpu ? gpu.untilLost : <T>(work: Promise<T>) => work;
  const { compile, dispose } = openPrograms();
  return {
    device,
    name: `${device} (onnxruntime-web ${ort.env.versions.web}, ${where})${because}`,
    lanes: 1,
    compile: (graph) =>
      compile(graph, async (onDispose) => {
        const open = async () => {
          const session = await guarded(
            ort.InferenceSession.create(writeOnnx(graph), {
              executionProviders: [gpu ? { name: "webgpu", device: gpu.device } : "wasm"],
              graphOptimizationLevel: optimisation,
              logSeverityLevel: 4,
            }),
          );
          return sessionExecution(session, ort.Tensor, { graph, writesInPlace: false });
        };
        let session: Awaited<ReturnType<typeof open>> | null = await inTurn(open).catch((error: unknown) => {
          throw compileError(error, graph, device);
        });
        const release = async (): Promise<void> => {
          const old = session;
          session = null;
          await old?.release();
        };
        const execution: Execution = {
          graph,
          device,
          execute: (inputs, fetches) =>
            inTurn(async () => {
              session ??= await open();
              try {
                return await guarded(session.execute(inputs, fetches));
              } catch (error) {
                // On WebGPU a session whose run failed never ends another one.
                if (gpu) await release().catch(() => undefined);
                throw error;
              }
            }),
          release: () => inTurn(release),
        };
        return makeProgram(execution, onDispose);
      }),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** The graphics card if it is to be used; and, for "auto", what is said of the choice. */
async function choose(device: "wasm" | "webgpu" | "auto"): Promise<{ gpu?: Gpu; because: string }> {
  if (device === "wasm") return { because: "" };
  if (device === "webgpu") return { gpu: await openGpu(), because: "" };
  try {
    const gpu = await openGpu();
    if (!gpu.software) return { gpu, because: ", chosen as there is a graphics card" };
    return { because: `, chosen as WebGPU here is software (${gpu.name})` };
  } catch (error) {
    return { because: `, chosen as ${(error as Error).message}` };
  }
}

/** The build of onnxruntime-web with this device: each has a .wasm file of its own, fetched only if it is used. */
async function load(device: "wasm" | "webgpu"): Promise<typeof Ort> {
  try {
    return await (device === "webgpu" ? import("onnxruntime-web/webgpu") : import("onnxruntime-web/wasm"));
  } catch (error) {
    throw new FairleadError(
      `the package onnxruntime-web could not be loaded (${(error as Error).message}): npm install onnxruntime-web@1.30.0`,
    );
  }
}

/** Sets the threads of WebAssembly, which cannot be changed after the first session. Returns them. */
function useThreads({ env: { wasm } }: typeof Ort, asked: number | undefined): number {
  const page = globalThis as { crossOriginIsolated?: boolean; navigator?: { hardwareConcurrency?: number } };
  const most = page.crossOriginIsolated === true ? (page.navigator?.hardwareConcurrency ?? 1) : 1;
  if (asked !== undefined && (!Number.isInteger(asked) || asked < 1)) {
    throw new UsageError(`threads is a whole number of 1 or more, got ${asked}`);
  }
  if (asked !== undefined && asked > 1 && page.crossOriginIsolated !== true) {
    throw new UsageError(
      `${asked} threads need a page that is cross-origin isolated: serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or ask for 1 thread`,
    );
  }
  wasm.numThreads ??= asked ?? most;
  if (asked !== undefined && wasm.numThreads !== asked) {
    throw new UsageError(
      `this page runs WebAssembly on ${threadsInWords(wasm.numThreads)} already, got ${asked}: ask for as many, or reload it`,
    );
  }
  return wasm.numThreads;
}

/** The end of the last piece of work that was started. */
let last: Promise<unknown> = Promise.resolve();

/** Runs one piece of work after another: onnxruntime-web cannot do two at a time. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = last.then(work);
  last = result.catch(() => undefined);
  return result;
}
