// One lane: a worker thread with its own ONNX Runtime sessions of one thread each, so that lanes run at the same time.
// (onnxruntime-node blocks the thread that calls it.) Plain JavaScript, because Node starts it as it is.
import { parentPort } from "node:worker_threads";
import * as ort from "onnxruntime-node";

ort.env.logLevel = "fatal";

/** @type {Map<number, import("onnxruntime-node").InferenceSession>} */
const sessions = new Map();

/** @param {{ id: number, model: any, options: object }} message The model is its bytes or its path. */
async function open({ id, model, options }) {
  sessions.set(id, await ort.InferenceSession.create(model, options));
  return {};
}

/** @param {{ id: number, feeds: [string, string, any, number[]][], outputs: string[] }} message */
async function run({ id, feeds, outputs }) {
  const session = sessions.get(id);
  if (!session) throw new Error("the program was disposed of");
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
  const session = sessions.get(id);
  sessions.delete(id);
  await session?.release();
  return {};
}

const handlers = { open, run, close };

/**
 * The buffers of results, which move to the other thread instead of being copied.
 * @param {Record<string, { data?: ArrayBufferView }>} result
 */
const buffersOf = (result) => [...new Set(Object.values(result).map(({ data }) => data.buffer))];

parentPort?.on("message", async (message) => {
  const { call, kind } = message;
  // Nothing is left to wait for, and the thread ends by itself.
  if (kind === "end") return parentPort?.close();
  try {
    const result = await handlers[/** @type {keyof typeof handlers} */ (kind)](message);
    parentPort?.postMessage({ call, result }, buffersOf(result));
  } catch (error) {
    parentPort?.postMessage({ call, error: error instanceof Error ? error.message : String(error) });
  }
});
