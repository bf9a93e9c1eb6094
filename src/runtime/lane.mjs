// One lane: a worker thread with its own ONNX Runtime sessions of one thread each, so that lanes run at the same time.
// (onnxruntime-node blocks the thread that calls it.) Plain JavaScript, because Node starts it as it is.
import { parentPort } from "node:worker_threads";
import * as ort from "onnxruntime-node";

/** @type {Map<number, import("onnxruntime-node").InferenceSession>} */
const sessions = new Map();

/** @param {{ id: number, onnx: Uint8Array, options: object }} message */
async function open({ id, onnx, options }) {
  sessions.set(id, await ort.InferenceSession.create(onnx, options));
  return {};
}

/** @param {{ id: number, feeds: [string, string, any, number[]][], outputs: string[] }} message */
async function run({ id, feeds, outputs }) {
  const session = sessions.get(id);
  if (!session) throw new Error("the program was disposed");
  /** @type {Record<string, import("onnxruntime-node").Tensor>} */
  const inputs = {};
  for (const [name, dtype, data, shape] of feeds) {
    inputs[name] = new ort.Tensor(/** @type {"float32"} */ (dtype), data, shape);
  }
  const results = await session.run(inputs, outputs);
  return Object.fromEntries(
    outputs.map((name) => [name, { data: results[name].data, shape: results[name].dims }]),
  );
}

/** @param {{ id: number }} message */
async function close({ id }) {
  await sessions.get(id)?.release();
  sessions.delete(id);
  return {};
}

const handlers = { open, run, close };

parentPort?.on("message", async (message) => {
  try {
    const handler = handlers[/** @type {keyof typeof handlers} */ (message.kind)];
    const result = await handler(message);
    parentPort?.postMessage({ call: message.call, result });
  } catch (error) {
    parentPort?.postMessage({
      call: message.call,
      error: error instanceof Error ? error.message : String(error),
    });
  }
});
