/**
 * A process of its own, since the driver must be named before ONNX Runtime is loaded: runs the runtimes' suite on WebGPU, or
 * (with the argument "first") its first case. Prints the runtime's name and what each case gave, as JSON.
 */
import { nodeRuntime } from "../runtime/node.ts";
import { runCases } from "../runtime/suite/all.cases.ts";

const runtime = nodeRuntime({ device: "webgpu" });
const outcomes = await runCases(runtime, "webgpu", process.argv[2] === "first" ? 1 : Infinity);
process.stdout.write(JSON.stringify({ name: runtime.name, outcomes }));
