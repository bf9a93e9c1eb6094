import { expect, test } from "vitest";
import { withRuntime } from "./openRuntime.ts";

test.each([
  ["auto", false, /^Running on \w+ \(.*\), chosen .*\.\n$/],
  ["auto", true, /^$/],
  ["cpu", false, /^$/],
] as const)(
  "with --device %s, quiet %s, what is chosen is said once on standard error",
  async (device, quiet, said) => {
    let [stdout, stderr] = ["", ""];
    const io = {
      stdout: { write: (text: string) => (stdout += text) },
      stderr: { write: (text: string) => (stderr += text) },
    };
    const name = await withRuntime(io, { device, quiet, threads: 1 }, (runtime) =>
      Promise.resolve(runtime.name),
    );
    expect(stderr).toMatch(said);
    expect(stdout).toBe("");
    expect(name).toMatch(/^\w+ \(onnxruntime-node/);
  },
);
