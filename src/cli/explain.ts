import { CommanderError } from "commander";
import { FairleadError, UsageError } from "../base/errors.ts";

/** What a person is told of an error, and what the process ends with. */
export interface Explanation {
  /** One sentence; empty where everything was said (help, version). */
  readonly sentence: string;
  /** 0 fine, 1 something failed, 2 wrong usage. */
  readonly exitCode: number;
}

/**
 * Explains an error of a command. Anything that Fairlead did not throw on purpose is a bug, and says so.
 *
 * @param help what to type for help with this command
 */
export function explain(error: unknown, help = "fairlead --help"): Explanation {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return { sentence: "", exitCode: 0 };
    return { sentence: ofCommander(error, help), exitCode: 2 };
  }
  if (error instanceof UsageError) return { sentence: error.message, exitCode: 2 };
  if (error instanceof FairleadError) return { sentence: error.message, exitCode: 1 };
  const message = error instanceof Error ? error.message : String(error);
  return {
    sentence: `this is a bug in fairlead: ${message}; run with FAIRLEAD_DEBUG=1 for the stack`,
    exitCode: 1,
  };
}

/** "error: unknown option '--step'\n(Did you mean --steps?)" -> one sentence with where to look. */
function ofCommander({ message }: CommanderError, help: string): string {
  const [what, hint] = message.replace(/^error: /, "").split("\n");
  const advice = hint === undefined ? "" : ` ${hint}`;
  return `${what.replace(/\.$/, "")}${advice}; ${help} says what there is`;
}
