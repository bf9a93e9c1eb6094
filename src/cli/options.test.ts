import { describe, expect, test } from "vitest";
import { commandLine } from "./commandLine.ts";
import {
  common,
  output,
  positiveNumber,
  readOptions,
  seeds,
  settings,
  stepCount,
  wholeNumber,
} from "./options.ts";

describe("readOptions", () => {
  const shape = {
    steps: wholeNumber(1).optional(),
    sigmaMin: positiveNumber.optional(),
    ...common,
    ...output,
  };

  test("reads numbers, and fills in what was not given", () => {
    expect(readOptions(shape, { steps: "16", sigmaMin: "2e-3", json: true })).toEqual({
      steps: 16,
      sigmaMin: 0.002,
      json: true,
      quiet: false,
      overwrite: false,
    });
  });

  test("says the option as it is typed, what it wants, and what came", () => {
    const cases: [Record<string, string>, string][] = [
      [{ steps: "0" }, '--steps wants a whole number of 1 or more, got "0"'],
      [{ steps: "1.5" }, '--steps wants a whole number of 1 or more, got "1.5"'],
      [{ sigmaMin: "-1" }, '--sigma-min wants a number above 0, got "-1"'],
      [{ sigmaMin: "1e999" }, '--sigma-min wants a number above 0, got "1e999"'],
      [{ sigmaMin: "0x10" }, '--sigma-min wants a number above 0, got "0x10"'],
      [{ device: "gpu" }, '--device wants auto, cpu, webgpu or cuda, got "gpu"'],
      [{ out: "" }, '--out wants the name of a folder, got ""'],
    ];
    for (const [options, message] of cases) expect(() => readOptions(shape, options)).toThrow(message);
  });

  test("settings are numbers where they look like numbers, else text", () => {
    const read = (pairs: string[]) => readOptions({ samplerOption: settings }, { samplerOption: pairs });
    expect(read(["churn=40", "variance=large"])).toEqual({ samplerOption: { churn: 40, variance: "large" } });
    expect(() => read(["churn"])).toThrow('--sampler-option wants key=value such as churn=40, got "churn"');
  });

  test("a setting is given once, is a number that there is, and draws no noise of its own", () => {
    const read = (pairs: string[]) => readOptions({ samplerOption: settings }, { samplerOption: pairs });
    expect(() => read(["churn=1", "churn=2"])).toThrow(
      "--sampler-option wants each key once, not churn twice",
    );
    expect(() => read(["noise=1"])).toThrow("--sampler-option wants no noise: --generator says");
    expect(read([" churn = 40", "eta=1e999"])).toEqual({ samplerOption: { churn: 40, eta: "1e999" } });
  });

  test("counts have an end", () => {
    const read = (steps: string) => readOptions({ steps: stepCount }, { steps }).steps;
    expect(read("100000")).toBe(100_000);
    expect(() => read("100001")).toThrow('--steps wants a whole number from 1 to 100000, got "100001"');
    expect(() => readOptions(common, { threads: "999999999" })).toThrow(
      "--threads wants a whole number from 1 to 1024",
    );
  });

  test("errors of seeds come through", () => {
    expect(() => readOptions({ seeds }, { seeds: "x" })).toThrow("--seeds wants whole numbers");
  });
});

test("commandLine quotes what a shell would change", () => {
  expect(commandLine(["sample", "runs/a", "cfg:2+pag:1,layers=mid|0", "it's", 3])).toBe(
    `sample runs/a 'cfg:2+pag:1,layers=mid|0' 'it'\\''s' 3`,
  );
});
