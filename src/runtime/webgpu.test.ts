import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { findChromium, swiftShader } from "../testing/findChromium.ts";
import { outcomeSuite } from "./runtime.cases.ts";
import type { Outcomes } from "./suite/all.cases.ts";

interface Report {
  readonly name: string;
  readonly outcomes: Outcomes;
}

/** Runs the suite in a process that sees only this driver of WebGPU. */
async function run(environment: Record<string, string>, ...words: string[]): Promise<Report> {
  const child = new URL("../testing/webgpuChild.ts", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", child, ...words], {
    env: { ...process.env, ...environment },
  });
  return JSON.parse(stdout) as Report;
}

const driver = swiftShader(findChromium());
const reason = driver ? "" : " (skipped: no SwiftShader, which Chromium brings along)";

describe.skipIf(!driver)(`onnxruntime-node on WebGPU${reason}`, () => {
  let report: Promise<Report>;
  const once = () => (report ??= run(driver!));

  test("says so in the runtime's name", async () => {
    expect((await once()).name).toMatch(/^webgpu \(onnxruntime-node \d/);
  });
  outcomeSuite("webgpu", async () => (await once()).outcomes);
});

test("without a driver, WebGPU is one sentence that says what to do", async () => {
  const { outcomes } = await run({ VK_ICD_FILENAMES: "/nowhere.json", LD_LIBRARY_PATH: "/nowhere" }, "first");
  expect(Object.values(outcomes)).toEqual([
    'WebGPU cannot be used here (Failed to get a WebGPU adapter: No supported adapters): install a Vulkan driver, or use the device "cpu"',
  ]);
});
