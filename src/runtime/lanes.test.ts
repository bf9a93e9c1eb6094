import type { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test, vi } from "vitest";
import { FairleadError, UsageError } from "../base/errors.ts";
import { trace } from "../graph/builder.ts";
import { matmul } from "../graph/ops/linear.ts";
import { lanesRuntime } from "./lanes.ts";
import { nodeRuntime } from "./node.ts";
import { runtimeSuite } from "./runtime.cases.ts";

const runtime = lanesRuntime({ lanes: 2 });
afterAll(() => runtime.dispose());

describe("in two lanes", () => {
  runtimeSuite(runtime, "cpu");
});

test("runs at the same time do not mix, and give what one thread gives", async () => {
  const size = 32;
  const graph = trace({ x: { shape: [size, size] } }, ({ x }) => ({ y: matmul(matmul(x, x), x) }));
  const feeds = Array.from({ length: 5 }, (_, n) => ({
    x: { data: Float32Array.from({ length: size * size }, (_, i) => Math.sin(i + n)), shape: [size, size] },
  }));
  const [program, single] = await Promise.all([
    runtime.compile(graph),
    nodeRuntime({ threads: 1 }).compile(graph),
  ]);
  const results = await Promise.all(feeds.map((feed) => program.run(feed)));
  for (const [n, feed] of feeds.entries()) {
    expect(results[n].y.data).toEqual((await single.run(feed)).y.data);
  }
  await Promise.all([program.dispose(), single.dispose()]);
});

test("what runs alone, on all threads, gives what it gives in a lane", async () => {
  const size = 256;
  const graph = trace({ x: { shape: [size, size] } }, ({ x }) => ({ y: matmul(x, x) }));
  const x = { data: Float32Array.from({ length: size * size }, (_, i) => Math.sin(i)), shape: [size, size] };
  await using program = await runtime.compile(graph);
  await using alone = await runtime.compile(graph, { alone: true });
  expect((await alone.run({ x })).y.data).toEqual((await program.run({ x })).y.data);
});

test.each([0, 1.5, -1])("there are not %s lanes", (lanes) => {
  expect(() => lanesRuntime({ lanes })).toThrow(UsageError);
});

test("disposing of it waits for what is still running", async () => {
  const busy = lanesRuntime({ lanes: 2 });
  const graph = trace({ x: { shape: [256, 256] } }, ({ x }) => ({ y: matmul(matmul(x, x), x) }));
  const program = await busy.compile(graph);
  const x = { data: new Float32Array(256 * 256).fill(1), shape: [256, 256] };
  const running = [program.run({ x }), program.run({ x }), program.run({ x })];
  await busy.dispose();
  for (const { y } of await Promise.all(running)) expect(y.data[0]).toBe(65536);
});

describe("a lane that dies", () => {
  const graph = trace({ x: { shape: [8, 8] } }, ({ x }) => ({ y: matmul(x, x) }));
  const x = { data: new Float32Array(64).fill(1), shape: [8, 8] };

  /** A runtime of two lanes, and their threads. */
  const watched = () => {
    const workers: Worker[] = [];
    const collect = (worker: Worker): void => void workers.push(worker);
    process.on("worker", collect);
    const runtime = lanesRuntime({ lanes: 2 });
    return vi
      .waitUntil(() => workers.length === 2)
      .then(() => {
        process.off("worker", collect);
        return { runtime, workers };
      });
  };

  test("fails what it was asked, in one sentence, and does not hang", async () => {
    const { runtime, workers } = await watched();
    const program = await runtime.compile(graph);
    const ended = workers.map((worker) => worker.terminate());
    await expect(program.run({ x })).rejects.toThrow(FairleadError);
    await Promise.all(ended);
    await expect(program.run({ x })).rejects.toThrow(
      /^running "graph" failed: its worker thread ended \(exit code 1\); open the runtime again$/,
    );
    await expect(runtime.compile(graph)).rejects.toThrow(
      /^ONNX Runtime refused the graph "graph": its worker thread/,
    );
    await program.dispose();
    await runtime.dispose();
  });

  test("leaves nothing of a graph open in the others", async () => {
    const { runtime, workers } = await watched();
    await workers[0].terminate();
    const sent = vi.spyOn(workers[1], "postMessage");
    await expect(runtime.compile(graph)).rejects.toThrow(FairleadError);
    expect(sent.mock.calls.map(([message]) => (message as { kind: string }).kind)).toEqual(["open", "close"]);
    await runtime.dispose();
  });
});

test("await using ends programs and lanes, and what is used after says so", async () => {
  const graph = trace({ x: { shape: [1] } }, ({ x }) => ({ y: x.builder.apply("Exp", [x])[0] }));
  const kept = lanesRuntime({ lanes: 1 });
  const program = await (async () => {
    await using inner = kept;
    return await inner.compile(graph);
  })();
  await expect(program.run({ x: { data: new Float32Array(1), shape: [1] } })).rejects.toThrow("disposed of");
  await expect(kept.compile(graph)).rejects.toThrow(
    '"graph" cannot be compiled: its runtime was disposed of',
  );
});
