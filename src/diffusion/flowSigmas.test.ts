import { describe, expect, test } from "vitest";
import { NOISE_ALONE } from "./betas.ts";
import { dynamicShift, flow, flowSigma, shiftForTokens, shiftTime, stretchToTerminal } from "./flowSigmas.ts";

describe("the shift of flow times", () => {
  test("golden values: shift 3, and e^1.15", () => {
    expect([1, 0.75, 0.5, 0.25].map((t) => shiftTime(t, 3))).toBeAllClose([1, 0.9, 0.75, 0.5], {
      rel: 1e-14,
    });
    expect([0.9, 0.5, 0.1].map((t) => shiftTime(t, Math.exp(1.15)))).toBeAllClose(
      [0.96601383, 0.75951092, 0.25975841],
      {
        rel: 2e-8,
      },
    );
  });

  test("multiplies the noise level, so that shifts multiply and 1 is none", () => {
    for (const t of [0.001, 0.3, 0.9]) {
      expect(flowSigma(shiftTime(t, 2.5))).toBeAllClose(2.5 * flowSigma(t), { rel: 1e-12 });
      expect(shiftTime(shiftTime(t, 2), 3)).toBeAllClose(shiftTime(t, 6), { rel: 1e-13 });
      expect(shiftTime(t, 1)).toBe(t);
    }
    expect([shiftTime(0, 3), shiftTime(1, 3)]).toEqual([0, 1]);
  });

  test("by resolution: e^0.5 at 256 tokens, e^1.15 at 4096, in between on a line", () => {
    expect(shiftForTokens(256)).toBeAllClose(Math.exp(0.5), { rel: 1e-14 });
    expect(shiftForTokens(4096)).toBeAllClose(Math.exp(1.15), { rel: 1e-14 });
    expect(Math.log(shiftForTokens(2176))).toBeAllClose(0.825, { rel: 1e-13 });
    expect(shiftForTokens(100, { base: 1, max: 2, baseTokens: 0, maxTokens: 100 })).toBeAllClose(
      Math.exp(2),
      { rel: 1e-14 },
    );
  });

  test("by mu: exponential or linear, e^mu/(e^mu + 1/t - 1) or mu/(mu + 1/t - 1)", () => {
    const t = 0.3;
    expect(shiftTime(t, dynamicShift("exponential", 0.9))).toBeAllClose(
      Math.exp(0.9) / (Math.exp(0.9) + 1 / t - 1),
      { rel: 1e-14 },
    );
    expect(shiftTime(t, dynamicShift("linear", 0.9))).toBeAllClose(0.9 / (0.9 + 1 / t - 1), { rel: 1e-14 });
    expect(() => dynamicShift("linear", 0)).toThrow("a linear shift wants a mu above 0, got 0");
  });
});

describe("the grid", () => {
  test("is t/(1-t) at equal times, from noise alone to 0", () => {
    expect(flow({ steps: 4 })).toBeAllClose([NOISE_ALONE, 3, 1, 1 / 3, 0], { rel: 1e-14 });
    expect(flow({ steps: 4, shift: 3 })).toBeAllClose([NOISE_ALONE, 9, 3, 1, 0], { rel: 1e-14 });
    expect(flow({ steps: 1 })).toEqual([NOISE_ALONE, 0]);
  });

  test("is stretched to a terminal time by distances from 1", () => {
    const times = flow({ steps: 5, shift: 2, terminal: 0.1 })
      .slice(0, -1)
      .map((sigma) => sigma / (1 + sigma));
    expect(times[4]).toBeAllClose(0.1, { rel: 1e-12 });
    const plain = [1, 0.8, 0.6, 0.4, 0.2].map((t) => shiftTime(t, 2));
    for (let i = 1; i < 5; i++)
      expect((1 - times[i]) / (1 - plain[i])).toBeAllClose((1 - 0.1) / (1 - plain[4]), { rel: 1e-7 });
    expect(stretchToTerminal([0.9, 0.5], 0.75)).toBeAllClose([0.95, 0.75], { rel: 1e-14 });
  });

  test("refuses what is no grid", () => {
    expect(() => flow({ steps: 0 })).toThrow("steps is a whole number");
    expect(() => flow({ steps: 3, shift: 0 })).toThrow("shift is a number above 0");
    expect(() => flow({ steps: 3, shift: NaN })).toThrow("shift is a number above 0");
    expect(() => flow({ steps: 3, terminal: 1 })).toThrow("between 0 and 1");
  });
});
