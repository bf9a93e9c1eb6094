/**
 * A process of its own for src/runtime/leaks.test.ts: compiles, runs and disposes of a small network again and again, and prints
 * by how many bytes the process grew after the first cycles. Arguments: kind of runtime, cycles before and after, and "keep"
 * for programs that are not disposed of.
 */
import { trace } from "../graph/builder.ts";
import { matmul } from "../graph/ops/linear.ts";
import { lanesRuntime } from "../runtime/lanes.ts";
import { nodeRuntime } from "../runtime/node.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import { webRuntime } from "../runtime/web.ts";

const [kind, first, after, keep] = process.argv.slice(2);
const size = 256;
const weights = Float32Array.from({ length: size * size }, (_, i) => Math.sin(i));
const graph = trace({ x: { shape: [4, size] } }, ({ x }) => {
  const w = x.builder.constant({ dtype: "float32", shape: [size, size], data: weights });
  return { y: matmul(matmul(x, w), w) };
});
const x = { data: new Float32Array(4 * size).fill(1), shape: [4, size] };
const kept: Program[] = [];

await using runtime = await open(kind);

function open(kind: string): Runtime | Promise<Runtime> {
  switch (kind) {
    case "lanes":
      return lanesRuntime({ lanes: 2 });
    case "wasm":
      return webRuntime();
    default:
      return nodeRuntime({ device: kind as "cpu" | "webgpu", threads: 1 });
  }
}

const cycles = async (count: number): Promise<number> => {
  for (let i = 0; i < count; i++) {
    const program = await runtime.compile(graph);
    await program.run({ x });
    if (keep === "keep") kept.push(program);
    else await program.dispose();
  }
  globalThis.gc?.();
  return process.memoryUsage.rss();
};
const before = await cycles(Number(first));
process.stdout.write(String((await cycles(Number(after))) - before));
