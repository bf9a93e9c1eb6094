import { explain } from "./explain.ts";
import type { Io } from "./io.ts";
import { makeProgram } from "./program.ts";

/**
 * Runs one command line (without "node" and the script) and returns the exit code: 0 done, 1 something failed, 2 wrong usage,
 * 130 stopped by Ctrl-C. An error is one sentence on stderr; with FAIRLEAD_DEBUG=1 its stack follows.
 */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  let exitCode = 0;
  const program = makeProgram(io, (code) => {
    exitCode = code;
  });
  const known = program.commands.some((command) => command.name() === argv[0]);
  try {
    await program.parseAsync(argv.length === 0 ? ["--help"] : argv, { from: "user" });
    return exitCode;
  } catch (error) {
    const explained = explain(error, known ? `fairlead ${argv[0]} --help` : undefined);
    if (explained.sentence !== "") io.stderr.write(`fairlead: ${explained.sentence}\n`);
    if (explained.exitCode !== 0 && process.env.FAIRLEAD_DEBUG && error instanceof Error) {
      io.stderr.write(`${error.stack}\n`);
    }
    return explained.exitCode;
  }
}
