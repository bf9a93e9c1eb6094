import { describe, expect, test } from "vitest";
import type { Branch, Labels } from "../diffusion/denoiser.ts";
import { branchWords, formulaOf, intervalWords } from "./explainWords.ts";
import { methods } from "./methods.ts";
import { parseGuidance } from "./spec.ts";

const labels: Labels = [1];
const noise = { keep: 1, amount: 1, rescale: 0, seeds: [0], stream: 1 };

test.each([
  [0, Infinity, "at every sigma"],
  [0.2, Infinity, "where sigma > 0.2"],
  [0, 2, "where sigma <= 2"],
  [0.2, 2, "where 0.2 < sigma <= 2"],
])("an interval from %d to %d is %s", (low, high, words) => {
  expect(intervalWords({ low, high })).toBe(words);
});

describe("a branch", () => {
  test.each<[Branch<Labels>, string]>([
    [{ condition: labels }, "with the condition"],
    [{ condition: null }, "without the condition"],
    [{ condition: [2] }, "with another condition"],
    [
      { condition: labels, perturbation: { kind: "identity", layers: "all" } },
      "with the condition, with identity (layers all)",
    ],
    [
      { condition: null, perturbation: { kind: "blur-queries", layers: ["mid", 2], sigma: 10 } },
      "without the condition, with blur-queries (layers mid|2, sigma 10)",
    ],
    [{ condition: labels, told: [1.2] }, "with the condition, told another noise level"],
    [
      { condition: labels, conditionNoise: noise, levelNoise: noise },
      "with the condition, with noise on the condition's embedding, with noise on the noise level's embedding",
    ],
  ])("%j", (branch, words) => {
    expect(branchWords(branch, labels)).toBe(words);
  });

  test("of a model without conditions says nothing of them", () => {
    expect(branchWords({ condition: null }, null)).toBe("");
  });
});

describe("a formula", () => {
  const formula = (spec: string): string => formulaOf(parseGuidance(spec)[0]);

  test("of every method at its defaults has no name of a number's option left in it", () => {
    for (const { name, options, role } of Object.values(methods)) {
      const numbers = Object.entries(options).filter(([, option]) => typeof option.default === "number");
      const text = formula(name);
      for (const [key] of numbers) {
        // "momentum" is also in a word of other formulas, and a bare letter stands for itself.
        expect({ name, text: new RegExp(`\\b${key}\\b(?!\\()`).test(text) ? key : "" }).toEqual({
          name,
          text: "",
        });
      }
      if (role === "combine") expect(text).not.toMatch(/\bweight\b/);
    }
  });

  test("takes the numbers of its spec, negative ones in parentheses", () => {
    expect(formula("apg:8,eta=0.5,momentum=-0.5,cap=2")).toMatch(
      /g = strong - weak \+ \(-0\.5\)\*g_before; .*min\(1, 2\/\|g\|\).*\(8 - 1\)\*\(across \+ 0\.5\*along\)/,
    );
    expect(formula("momentum:0.5,decay=0.6")).toBe("u' = u + 0.5*(u - m); m <- (1 - 0.6)*u + 0.6*m");
  });

  test("of a way to combine speaks of the weight that a scale is", () => {
    expect(formula("pag:3~tcfg")).toContain("4*(strong - weak')");
    expect(formula("cfg:3~tcfg")).toContain("3*(strong - weak')");
    expect(formula("pag:linear(3)~tcfg")).toContain("weight(sigma)*");
  });

  test("names schedules by what they depend on", () => {
    expect(formula("cfg:steps(1|2)")).toContain("+ weight[step]*");
    expect(formula("cfg:rows(1|2)")).toContain("+ weight[sample]*");
    expect(formula("pag:beta(3|2|2)")).toContain("+ scale(sigma)*");
  });

  test("is that of the form", () => {
    expect(formula("apg:8,form=diffusers")).toBe("g as form=paper has it; D = weak + 8*(across + 0*along)");
    expect(formula("classifier:2,form=mean-shift")).toMatch(/^mean = mean \+ variance\*2/);
  });
});
