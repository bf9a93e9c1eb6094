import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { costOf } from "../../src/graph/cost.ts";
import { Builder } from "../../src/graph/builder.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { matmul } from "../../src/graph/ops/linear.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { RuntimeTensor } from "../../src/runtime/runtime.ts";
import { quantile } from "./interleave.ts";

type Feeds = Readonly<Record<string, RuntimeTensor>>;

interface KernelEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args: { readonly op_name?: string };
}

/** Where one thread spends a run of a graph: ONNX Runtime's kernels by operator, each the median of `runs` runs. */
export async function breakdown(graph: Graph, feeds: Feeds, { runs = 7, lines = 14 } = {}): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
  const program = await nodeRuntime({ threads: 1, profile: join(folder, "profile") }).compile(graph);
  for (let i = 0; i < runs; i++) await program.run(feeds);
  await program.dispose();
  const [file] = readdirSync(folder);
  const events = JSON.parse(readFileSync(join(folder, file), "utf8")) as KernelEvent[];
  rmSync(folder, { recursive: true });

  const nodes = new Map<string, { op: string; durations: number[] }>();
  for (const { cat, name, dur, args } of events) {
    if (cat !== "Node" || !name.endsWith("_kernel_time")) continue;
    const node = nodes.get(name) ?? { op: args.op_name!, durations: [] };
    node.durations.push(dur / 1000);
    nodes.set(name, node);
  }
  const operators = new Map<string, { count: number; milliseconds: number }>();
  let total = 0;
  for (const { op, durations } of nodes.values()) {
    const { count, milliseconds } = operators.get(op) ?? { count: 0, milliseconds: 0 };
    const median = quantile(durations, 0.5);
    operators.set(op, { count: count + 1, milliseconds: milliseconds + median });
    total += median;
  }
  const rows = [...operators].sort(([, a], [, b]) => b.milliseconds - a.milliseconds).slice(0, lines);
  return [
    `  kernels of a piece on one thread: ${total.toFixed(1)} ms`,
    ...rows.map(([op, { count, milliseconds }]) =>
      [
        `    ${op.padEnd(24)}`,
        `${milliseconds.toFixed(1).padStart(7)} ms`,
        `${((100 * milliseconds) / total).toFixed(1).padStart(5)} %`,
        `${count} nodes`,
      ].join("  "),
    ),
  ].join("\n");
}

const SIDE = 1024;

/** A product of two 1,024 x 1,024 matrices in float32: what the floor is measured by. */
export async function matmulWork(threads: number): Promise<() => Promise<unknown>> {
  const builder = new Builder();
  const [a, b] = ["a", "b"].map((name) => builder.input(name, "float32", [SIDE, SIDE]));
  const program = await nodeRuntime({ threads }).compile(builder.build({ y: matmul(a, b) }));
  const matrix = { data: new Float32Array(SIDE * SIDE).fill(0.01), shape: [SIDE, SIDE] };
  const y = { data: new Float32Array(SIDE * SIDE), shape: [SIDE, SIDE] };
  return () => program.run({ a: matrix, b: matrix }, { y });
}

/** The time of a graph's operations, run `times` times, at the rate of matmulWork; and how much of it each time reaches. */
export function floor(
  graph: Graph,
  times: number,
  matmulMs: number,
  measured: readonly { readonly name: string; readonly median: number }[],
): string {
  const rate = (2 * SIDE ** 3) / matmulMs / 1e6;
  const gigaflops = (costOf(graph).flops * times) / 1e9;
  const least = (1000 * gigaflops) / rate;
  const reached = measured.map(({ name, median }) => `${name} ${((100 * least) / median).toFixed(0)} %`);
  return `  floor: ${gigaflops.toFixed(1)} GFLOP at MatMul's ${rate.toFixed(0)} GFLOP/s: ${least.toFixed(0)} ms; reached: ${reached.join(", ")}`;
}
