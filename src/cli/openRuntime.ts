import { lanesRuntime } from "../runtime/lanes.ts";
import { nodeRuntime } from "../runtime/node.ts";
import type { Runtime } from "../runtime/runtime.ts";

export interface RuntimeRequest {
  readonly device?: "cpu" | "webgpu";
  /** Cores used on the CPU. Default: all. */
  readonly threads?: number;
}

/** Runs `work` with the runtime that was asked for, and ends its threads afterwards. */
export async function withRuntime<T>(
  { device = "cpu", threads }: RuntimeRequest,
  work: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  if (device !== "cpu") return work(nodeRuntime({ device, threads }));
  const runtime = lanesRuntime({ lanes: threads });
  try {
    return await work(runtime);
  } finally {
    await runtime.dispose();
  }
}
