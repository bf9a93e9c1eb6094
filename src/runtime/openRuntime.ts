import { trace } from "../graph/builder.ts";
import { add } from "../graph/ops/elementwise.ts";
import { MissingDevice } from "./deviceErrors.ts";
import type { DeviceChoice } from "./devices.ts";
import { noGraphicsCard, withoutSoftwareDrivers } from "./graphicsCard.ts";
import { lanesRuntime } from "./lanes.ts";
import { nodeRuntime } from "./node.ts";
import type { Runtime } from "./runtime.ts";

export interface RuntimeRequest {
  /**
   * "cpu": lanes of one core each; "webgpu" or "cuda": the graphics card. "auto" takes CUDA where it can be used, else WebGPU on
   * a graphics card (never on a driver that computes on the processor), else the CPU, and the runtime's name says why.
   * Default "cpu".
   */
  readonly device?: DeviceChoice;
  /** Cores used on the CPU. Default: all. */
  readonly threads?: number;
}

/**
 * A runtime on the device that was asked for, seen to work.
 * Throws FairleadError saying what the device lacks here and what to do. Dispose of the runtime, or the process may not end.
 */
export async function openRuntime({ device = "cpu", threads }: RuntimeRequest = {}): Promise<Runtime> {
  switch (device) {
    case "cpu":
      return lanesRuntime({ lanes: threads });
    case "webgpu":
    case "cuda":
      return tried(nodeRuntime({ device, threads }));
    case "auto":
      return automatic(threads);
  }
}

async function automatic(threads: number | undefined): Promise<Runtime> {
  try {
    return named(await tried(nodeRuntime({ device: "cuda", threads })), "as CUDA can be used");
  } catch (noCuda) {
    try {
      const runtime = await onGraphicsCard(threads);
      return named(runtime, `as there is a graphics card, without CUDA (${reasonOf(noCuda)})`);
    } catch (noGpu) {
      const runtime = lanesRuntime({ lanes: threads });
      return named(runtime, `without CUDA (${reasonOf(noCuda)}) and WebGPU (${reasonOf(noGpu)})`);
    }
  }
}

function onGraphicsCard(threads: number | undefined): Promise<Runtime> {
  const missing = noGraphicsCard();
  if (missing !== null) throw new MissingDevice(missing, missing);
  return withoutSoftwareDrivers(() => tried(nodeRuntime({ device: "webgpu", threads })));
}

/** The runtime, once it has doubled a number. */
async function tried(runtime: Runtime): Promise<Runtime> {
  const graph = trace({ x: { shape: [1] } }, ({ x }) => ({ y: add(x, x) }));
  try {
    await using program = await runtime.compile(graph);
    await program.run({ x: { data: Float32Array.of(1), shape: [1] } });
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
  return runtime;
}

const named = (runtime: Runtime, because: string): Runtime => ({
  ...runtime,
  name: `${runtime.name}, chosen ${because}`,
});

const reasonOf = (error: unknown): string =>
  error instanceof MissingDevice ? error.reason : (error as Error).message;
