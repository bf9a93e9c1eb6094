/** Runs graphs on ONNX Runtime in Node. */
export type { LanesOptions } from "./lanes.ts";
export { lanesRuntime } from "./lanes.ts";
export type { NodeRuntimeOptions } from "./node.ts";
export { nodeRuntime } from "./node.ts";
export type { Program, Runtime, RuntimeArray, RuntimeTensor } from "./runtime.ts";
