import type { Runtime } from "../runtime.ts";
import { borderCases } from "./border.cases.ts";
import { errorCases } from "./errors.cases.ts";
import { lifeCases } from "./life.cases.ts";
import { networkCases } from "./networks.cases.ts";
import type { SuiteDevice, RuntimeCase } from "./runtimeCase.cases.ts";

export const runtimeCases: readonly RuntimeCase[] = [
  ...borderCases,
  ...errorCases,
  ...lifeCases,
  ...networkCases,
];

/** What each case gave: null for a pass, else what was wrong. */
export type Outcomes = Readonly<Record<string, string | null>>;

/** Runs the cases that hold on a device, or the first few of them, where there is no vitest. */
export async function runCases(runtime: Runtime, device: SuiteDevice, most = Infinity): Promise<Outcomes> {
  const outcomes: Record<string, string | null> = {};
  const cases = runtimeCases.filter(({ notOn }) => notOn?.[device] === undefined);
  for (const { name, check } of cases.slice(0, most)) {
    outcomes[name] = await check(runtime).then(
      () => null,
      (error: Error) => error.message,
    );
  }
  return outcomes;
}
