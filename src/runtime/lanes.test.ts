import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
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
