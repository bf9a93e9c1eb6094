import { describe, expect, test } from "vitest";
import * as values from "./values.ts";
import type { ValueKind } from "./values.ts";

interface Case {
  readonly kind: ValueKind<unknown>;
  /** Texts and what they mean. */
  readonly good: readonly (readonly [text: string, value: unknown])[];
  /** Texts that mean nothing, or a value that the kind does not hold. */
  readonly bad: readonly string[];
  /** Values that it does not hold. */
  readonly wrong: readonly unknown[];
}

const cases: Readonly<Record<string, Case>> = {
  finiteNumber: {
    kind: values.finiteNumber,
    good: [
      ["1", 1],
      ["-2.5", -2.5],
      ["+.5", 0.5],
      ["1e-3", 0.001],
      ["1E+3", 1000],
      ["3.", 3],
    ],
    bad: ["", "one", "1,5", "0x10", "1e", "--1", "Infinity", "NaN", " 1", "1_000"],
    wrong: [NaN, Infinity, -Infinity, "1", null, undefined, [1], true],
  },
  weightValues: {
    kind: values.weightValues,
    good: [
      ["2.5", 2.5],
      ["linear(4)", { kind: "linear", weight: 4 }],
      ["cosine(-1)", { kind: "cosine", weight: -1 }],
      ["beta(4|2|1)", { kind: "beta", weight: 4, a: 2, b: 1 }],
      ["steps(1|2|3)", { kind: "steps", weights: [1, 2, 3] }],
      ["rows(0)", { kind: "rows", weights: [0] }],
    ],
    bad: [
      "linear",
      "linear()",
      "linear(1|2)",
      "beta(4)",
      "beta(4|0.5|1)",
      "steps()",
      "rows(1|x)",
      "sine(3)",
      "linear(4) ",
    ],
    wrong: [
      NaN,
      {},
      { kind: "linear" },
      { kind: "linear", weight: "4" },
      { kind: "beta", weight: 4, a: 0.9, b: 1 },
      { kind: "steps", weights: [] },
      { kind: "rows", weights: [1, NaN] },
      null,
      undefined,
    ],
  },
  probability: {
    kind: values.probability,
    good: [
      ["0", 0],
      ["1", 1],
      ["0.25", 0.25],
    ],
    bad: ["-0.1", "1.1", "half"],
    wrong: [-1e-9, 1 + 1e-9, NaN, "0.5"],
  },
  numberList: {
    kind: values.numberList,
    good: [
      ["1", [1]],
      ["1|-2|0.5", [1, -2, 0.5]],
      ["1 | 2", [1, 2]],
    ],
    bad: ["", "1|", "a|b", "1,2"],
    wrong: [[], [1, NaN], 1, ["1"], null],
  },
  axisList: {
    kind: values.axisList,
    good: [
      ["0", [0]],
      ["2|0", [2, 0]],
    ],
    bad: ["-1", "0.5", "0|"],
    wrong: [[], [-1], [1.5], 0],
  },
  wholeNumber: {
    kind: values.wholeNumber,
    good: [
      ["0", 0],
      ["12", 12],
    ],
    bad: ["-1", "1.5", "many"],
    wrong: [-1, 0.5, 2 ** 53, NaN, "3"],
  },
  sigmaInterval: {
    kind: values.sigmaInterval,
    good: [
      ["0.2..2", { low: 0.2, high: 2 }],
      ["0..inf", { low: 0, high: Infinity }],
      ["1e-3..1", { low: 0.001, high: 1 }],
    ],
    bad: ["2..0.2", "1..1", "-1..2", "inf..inf", "0.2-2", "0.2..", "..2", "a..b"],
    wrong: [{ low: 1, high: 1 }, { low: -1, high: 1 }, { low: 0 }, { low: NaN, high: 1 }, null, "0..1"],
  },
  nonNegative: {
    kind: values.nonNegative,
    good: [
      ["0", 0],
      ["2.5", 2.5],
    ],
    bad: ["-1", "inf", ""],
    wrong: [-1e-12, Infinity, NaN],
  },
  positiveOrInf: {
    kind: values.positiveOrInf,
    good: [
      ["inf", Infinity],
      ["0.5", 0.5],
    ],
    bad: ["0", "-1", "infinity"],
    wrong: [0, -Infinity, NaN],
  },
  layerSelection: {
    kind: values.layerSelection,
    good: [
      ["all", "all"],
      ["mid", ["mid"]],
      ["mid|0|up.1/attn", ["mid", 0, "up.1/attn"]],
    ],
    bad: ["", "mid|", "a b", "all|mid"],
    wrong: [[], ["all"], [-1], [0.5], ["7"], "mid", null],
  },
  name: {
    kind: values.name,
    good: [
      ["early", "early"],
      ["run-2/ema_0.1.onnx", "run-2/ema_0.1.onnx"],
    ],
    bad: ["", "two words", "a=b", "a|b", "ä"],
    wrong: [1, null, undefined, ["a"]],
  },
  choice: {
    kind: values.choice("paper", "diffusers"),
    good: [
      ["paper", "paper"],
      ["diffusers", "diffusers"],
    ],
    bad: ["Paper", "", "paper ", "comfyui"],
    wrong: ["comfyui", 0, null, undefined],
  },
};

describe.each(Object.entries(cases))("%s", (_, { kind, good, bad, wrong }) => {
  test.each(good)("reads %s, holds it, and writes what reads the same", (text, value) => {
    expect(kind.read(text)).toEqual(value);
    expect(kind.holds(value)).toBe(true);
    expect(kind.read(kind.write(value))).toEqual(value);
  });

  test.each(bad)("does not take the text %j", (text) => {
    const read = kind.read(text);
    expect(read !== undefined && kind.holds(read)).toBe(false);
  });

  test("does not hold other values", () => {
    for (const value of wrong) expect(kind.holds(value), String(value)).toBe(false);
  });

  test("says in words what it wants", () => {
    expect(kind.wanted).toMatch(/^[a-zA-Z'][ -~]{5,}$/);
  });
});

test("a choice lists all that can be chosen", () => {
  expect(values.choice("a", "b", "c").wanted).toBe("one of a, b, c");
});
