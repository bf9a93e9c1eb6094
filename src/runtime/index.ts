/** Runs graphs on ONNX Runtime in Node; fairlead/web does in browsers. */
export type { Device, DeviceChoice } from "./devices.ts";
export type { LanesOptions } from "./lanes.ts";
export { lanesRuntime } from "./lanes.ts";
export type { NodeDevice, NodeRuntimeOptions } from "./node.ts";
export { nodeRuntime } from "./node.ts";
export type { RuntimeRequest } from "./openRuntime.ts";
export { openRuntime } from "./openRuntime.ts";
export type { CompileOptions, Program, Runtime, RuntimeArray, RuntimeTensor } from "./runtime.ts";
