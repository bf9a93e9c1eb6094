import { FairleadError } from "../base/errors.ts";
import type { Graph } from "../graph/graph.ts";

/** A device that is not there at all. */
export class MissingDevice extends FairleadError {
  /** @param reason what is missing, without what to do about it */
  constructor(
    message: string,
    readonly reason: string,
  ) {
    super(message);
  }
}

/** ONNX Runtime, the browser or the device refused a graph. */
export function compileError(error: unknown, graph: Graph, device: string): FairleadError {
  return (
    missingDevice(error, device) ?? saying(`ONNX Runtime refused the graph "${graph.name}"`, error, device)
  );
}

/** A run failed. */
export function runError(error: unknown, graph: Graph, device: string): FairleadError {
  return saying(`running "${graph.name}" failed`, error, device);
}

/** What a device lacks that is not there at all; null for every other error. */
function missingDevice(error: unknown, device: string): FairleadError | null {
  const reason = textOf(error);
  if (/fetching of the wasm failed/.test(reason)) {
    return new FairleadError(
      "onnxruntime-web's .wasm file could not be fetched: serve it beside the script, as bundlers do, or name its folder as wasmFolder",
    );
  }
  if (device === "webgpu" && /WebGPU (adapter|device)|backend not found/i.test(reason)) {
    const message = `WebGPU cannot be used here (${reason}): install a Vulkan driver, or use the device "cpu"`;
    return new MissingDevice(message, reason);
  }
  if (device === "cuda" && /cuda|shared library|backend not found/i.test(reason)) {
    const message =
      `CUDA cannot be used here (${reason}): on Linux x64 with an NVIDIA card, CUDA 12 and cuDNN 9, run ` +
      `"node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12", or use the device "cpu"`;
    return new MissingDevice(message, reason);
  }
  return null;
}

function saying(what: string, error: unknown, device: string): FairleadError {
  const reason = inPlainWords(error instanceof Error ? error.message : String(error), device);
  return new FairleadError(`${what}: ${reason ?? textOf(error)}`, { cause: error });
}

/** What ONNX Runtime's reason means, and what to do; null where it speaks for itself. */
function inPlainWords(reason: string, device: string): string | null {
  const [, op, name] = /while running (\S+) node\. Name:'(.*?)'/.exec(reason) ?? [];
  const where = op === undefined ? "" : ` at ${op} (node "${name}")`;
  const smaller = "run smaller batches or shapes";

  const kernel = noKernel.map((pattern) => pattern.exec(reason)).find((match) => match !== null);
  if (kernel) {
    return `the device "${device}" has no kernel for ${kernel[1]} (node "${kernel[2]}") with these element types: cast its inputs to float32, or use another device`;
  }
  if (/requires f16 but the device does not/.test(reason)) {
    return `the device "${device}" has no float16${where}: cast to float32, or use another device`;
  }
  const bytes = /requested buffer of size (\d+)/.exec(reason)?.[1];
  if (bytes !== undefined || /bad_alloc|out of memory|Aborted\(OOM|Array buffer allocation/i.test(reason)) {
    return `out of memory${where}${bytes === undefined ? "" : `, which wanted ${sizeInWords(Number(bytes))}`}: ${smaller}`;
  }
  if (/device (is |was )?lost|external Instance reference no longer exists/i.test(reason)) {
    return `the graphics device was lost (${textOf(reason)}): dispose of the runtime and open it again`;
  }
  if (tooLarge.test(reason)) {
    return `a tensor is larger than the device "${device}" can hold in one piece, or its memory is full${where}: ${smaller}, or use the CPU (${textOf(reason)})`;
  }
  return null;
}

const noKernel = [
  /find an implementation for (\S+?)\(\d+\) node with name '(.*?)'/i,
  /Provider type for (\S+) node with name '(.*?)' is not set/,
];

const tooLarge =
  /exceeding maxStorageBufferBindingSize|exceeds the max buffer size|Invalid Buffer|narrowing_error|Tensor shape is too large/i;

function sizeInWords(bytes: number): string {
  return bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MB` : `${(bytes / 2 ** 30).toFixed(1)} GB`;
}

/** The reason on one line, without the place in ONNX Runtime's own sources. */
function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .replace(/\s+/g, " ")
    .replace(/^.*ERROR_MESSAGE: /, "")
    .replace(/\/\S+\.(cc|h):\d+ .*?(?=(\[ONNXRuntimeError\]|Failed|Can|Could|The|Error|Invalid|std::))/g, "")
    .replace(/OrtSessionOptionsAppendExecutionProvider_\w+: /, "")
    .replace(/\[ONNXRuntimeError\] : \d+ : \w+ : /g, "")
    .trim();
}
