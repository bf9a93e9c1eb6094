import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { trace } from "../graph/builder.ts";
import { matmul } from "../graph/ops/linear.ts";
import { nodeRuntime } from "./node.ts";
import { runtimeSuite } from "./runtime.cases.ts";

describe("on the CPU", () => {
  runtimeSuite(nodeRuntime({ threads: 1 }), "cpu");
});

describe("threads", () => {
  test("are what the name says, and change no number beyond rounding", async () => {
    const size = 64;
    const graph = trace({ x: { shape: [size, size] } }, ({ x }) => ({ y: matmul(matmul(x, x), x) }));
    const data = Float32Array.from({ length: size * size }, (_, i) => Math.sin(i));
    const results = [];
    for (const threads of [1, 2]) {
      const runtime = nodeRuntime({ threads });
      expect(runtime.name).toMatch(new RegExp(`^cpu .*, ${threads} thread`));
      const program = await runtime.compile(graph);
      results.push((await program.run({ x: { data, shape: [size, size] } })).y.data);
      await program.dispose();
    }
    expect(results[1]).toBeAllClose(results[0], { abs: 1e-3, rel: 1e-5 });
  });

  test.each([-1, 1.5, NaN])("are not %s", (threads) => {
    expect(() => nodeRuntime({ threads })).toThrow(UsageError);
  });
});

test("a profile is written when the program is disposed of", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-"));
  try {
    const graph = trace({ x: { shape: [2, 2] } }, ({ x }) => ({ y: matmul(x, x) }));
    const program = await nodeRuntime({ threads: 1, profile: join(folder, "run") }).compile(graph);
    await program.run({ x: { data: new Float32Array(4), shape: [2, 2] } });
    await program.dispose();
    const [file] = readdirSync(folder);
    expect(readFileSync(join(folder, file), "utf8")).toContain('"op_name" : "MatMul"');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
