/** What every runtime does, whatever it runs on. */
import { describe, test } from "vitest";
import type { Runtime } from "./runtime.ts";
import { type Outcomes, runtimeCases } from "./suite/all.cases.ts";
import type { SuiteDevice } from "./suite/runtimeCase.cases.ts";

/** The suite on a runtime of this process. */
export function runtimeSuite(runtime: Runtime, device: SuiteDevice): void {
  eachCase(device, (check) => check(runtime));
}

/** The suite as it went elsewhere: in a child process or a page. */
export function outcomeSuite(device: SuiteDevice, outcomes: () => Promise<Outcomes>): void {
  eachCase(device, async (_, name) => {
    const outcome = (await outcomes())[name];
    if (outcome === undefined) throw new Error("the case was not run");
    if (outcome !== null) throw new Error(outcome);
  });
}

function eachCase(
  device: SuiteDevice,
  run: (check: (runtime: Runtime) => Promise<void>, name: string) => Promise<void>,
): void {
  for (const { name, check, notOn } of runtimeCases) {
    const reason = notOn?.[device];
    if (reason === undefined) test(name, () => run(check, name));
    else describe.skip(reason, () => test(name, () => undefined));
  }
}
