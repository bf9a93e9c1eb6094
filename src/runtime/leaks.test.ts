import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

/** By how many bytes a process grows over so many cycles of compiling, running and disposing, after the first of them. */
async function growth(kind: string, first: number, after: number, ...words: string[]): Promise<number> {
  const child = new URL("../testing/leakChild.ts", import.meta.url).pathname;
  const values = [kind, first, after, ...words].map(String);
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...["--expose-gc", "--import", "tsx", child, ...values],
  ]);
  return Number(stdout);
}

/** Each program holds weights of 256 kB, and what ONNX Runtime makes of them: about 0.8 MB, 560 MB in 700 programs. */
const bound = 64e6;

describe.concurrent("a thousand programs", () => {
  test.each(["cpu", "lanes", "wasm"])("on %s, each disposed of, do not grow the process", async (kind) => {
    expect(await growth(kind, 300, 700)).toBeLessThan(bound);
  });

  test.each(["cpu", "lanes"])("on %s would grow it if they were kept", async (kind) => {
    expect(await growth(kind, 20, 180, "keep")).toBeGreaterThan(bound);
  });
});
