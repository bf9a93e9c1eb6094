import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { FairleadError, FileError, UsageError } from "../base/errors.ts";
import { explain } from "./explain.ts";

test("wrong usage ends with 2, failures with 1, help with 0", () => {
  expect(explain(new UsageError("no"))).toEqual({ sentence: "no", exitCode: 2 });
  expect(explain(new FileError("cut"))).toEqual({ sentence: "cut", exitCode: 1 });
  expect(explain(new FairleadError("nan"))).toEqual({ sentence: "nan", exitCode: 1 });
  expect(explain(new CommanderError(0, "commander.help", "(outputHelp)"))).toEqual({
    sentence: "",
    exitCode: 0,
  });
});

test("what was not thrown on purpose is called a bug", () => {
  expect(explain(new TypeError("x is undefined"))).toEqual({
    sentence: "this is a bug in fairlead: x is undefined; run with FAIRLEAD_DEBUG=1 for the stack",
    exitCode: 1,
  });
});

test("commander's errors become one sentence", () => {
  const error = new CommanderError(1, "x", "error: unknown option '--step'\n(Did you mean --steps?)");
  expect(explain(error, "fairlead sample --help")).toEqual({
    sentence: "unknown option '--step' (Did you mean --steps?); fairlead sample --help says what there is",
    exitCode: 2,
  });
});
