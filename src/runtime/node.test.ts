import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { trace } from "../graph/builder.ts";
import { matmul } from "../graph/ops/linear.ts";
import { nodeRuntime } from "./node.ts";
import { runtimeSuite } from "./runtime.cases.ts";

describe("on the CPU", () => {
  runtimeSuite(nodeRuntime({ threads: 1 }));
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

describe("on WebGPU", () => {
  /** SwiftShader draws on the CPU; Chromium brings it along. It must be named before a process loads ONNX Runtime. */
  const driver = "/usr/lib/chromium/vk_swiftshader_icd.json";
  const run = (environment: Record<string, string>): { name: string; error?: string; worst?: number } => {
    const child = new URL("../testing/webgpuChild.ts", import.meta.url).pathname;
    const output = execFileSync(process.execPath, ["--import", "tsx", child], {
      env: { ...process.env, ...environment },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return JSON.parse(output) as ReturnType<typeof run>;
  };

  test.skipIf(!existsSync(driver))(
    "a small network gives the host reference's numbers (needs Chromium's SwiftShader)",
    () => {
      const { name, error, worst } = run({ VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: dirname(driver) });
      expect(error).toBeUndefined();
      expect(name).toMatch(/^webgpu /);
      expect(worst).toBeLessThan(1e-5);
    },
  );

  test("without a driver is one sentence that says what to do", () => {
    const { error } = run({ VK_ICD_FILENAMES: "/nowhere.json", LD_LIBRARY_PATH: "/nowhere" });
    expect(error).toMatch(
      /^WebGPU cannot be used here \(Failed to .*\): install a Vulkan driver, or use the device "cpu"$/,
    );
  });
});
