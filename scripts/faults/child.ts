/** Runs tests with faults for the process that started it: see testProcess.ts. */
import { fileURLToPath } from "node:url";
import type { Fault } from "./fault.ts";
import { type Verdict, faultyTests } from "./faultyTests.ts";

/** What it is told: which fault, or null for the code as it is; and the tests to run, in order. */
export interface Order {
  readonly fault: Fault | null;
  readonly files: readonly string[];
}

export interface Reply {
  readonly killer?: string | null;
  readonly took?: Verdict["took"];
  readonly error?: string;
}

// Vitest keeps to itself what is thrown.
try {
  const tests = await faultyTests(fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, ""));
  process.on("message", ({ fault, files }: Order) => {
    tests.run(fault, files).then(
      (verdict) => process.send!(verdict satisfies Reply),
      (error: unknown) => process.send!({ error: String(error) } satisfies Reply),
    );
  });
  process.send!({} satisfies Reply);
} catch (error) {
  console.error(error);
  process.exit(1);
}
