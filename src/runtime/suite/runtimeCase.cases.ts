import type { Runtime } from "../runtime.ts";

/** Where the suite runs: onnxruntime-node on the first two, onnxruntime-web on the others. WebGPU is SwiftShader there. */
export type SuiteDevice = "cpu" | "webgpu" | "wasm" | "web-webgpu";

/** Something that every runtime does: a plain function, since some run in a page or a child process. */
export interface RuntimeCase {
  /** A sentence. */
  readonly name: string;
  /** Throws what is wrong. */
  check(runtime: Runtime): Promise<void>;
  /** Why it does not hold on a device. */
  readonly notOn?: Partial<Record<SuiteDevice, string>>;
}
