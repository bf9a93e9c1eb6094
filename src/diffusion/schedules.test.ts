import { describe, expect, test } from "vitest";
import { scaledLinearBetas } from "./betas.ts";
import { parseSchedule, scheduledSigmas, schedules } from "./schedules.ts";
import { checkSigmas, exponential, fromBetas, karras, polyexponential } from "./sigmas.ts";

const range = { steps: 8, sigmaMin: 0.01, sigmaMax: 50, rho: 5 };
const of = (schedule?: string, more = {}) => scheduledSigmas({ ...range, ...more, schedule });

describe.each(Object.values(schedules))("$name", ({ name, hasRange, options }) => {
  test("is a grid of so many steps that ends at 0", () => {
    const sigmas = of(name);
    checkSigmas(sigmas);
    expect(sigmas).toHaveLength(9);
    expect(sigmas[8]).toBe(0);
    expect(sigmas[0]).toBeLessThan(50 * (1 + 1e-12));
  });

  test.runIf(hasRange)("goes from sigmaMax to sigmaMin", () => {
    const sigmas = of(name);
    expect(sigmas[0]).toBeCloseTo(50, 10);
    expect(sigmas[7]).toBeCloseTo(0.01, 10);
  });

  test.runIf(!hasRange)("begins at sigmaMax where its own levels begin higher, and else keeps them", () => {
    const whole = of(name, { sigmaMax: 1e9 });
    expect(of(name, { sigmaMax: whole[0] + 1 })).toEqual(whole);
    const between = (whole[0] + whole[1]) / 2;
    expect(of(name, { sigmaMax: between })).toEqual([between, ...whole.slice(1)]);
    expect(() => of(name, { sigmaMax: whole[1] })).toThrow(/2 of its 8 levels at or above sigma-max/);
  });

  test.runIf(Object.keys(options).length > 0)("its defaults are those that its options say", () => {
    const written = Object.entries(options).map(([key, { default: value }]) => `${key}=${String(value)}`);
    expect(of(`${name}:${written.join(",")}`)).toEqual(of(name));
  });
});

test("names mean the grids of sigmas.ts", () => {
  const [min, max] = [0.01, 50];
  expect(of()).toEqual(karras({ steps: 8, min, max, rho: 5 }));
  expect(of("exponential")).toEqual(exponential({ steps: 8, min, max }));
  expect(of("polyexponential:rho=2")).toEqual(polyexponential({ steps: 8, min, max, rho: 2 }));
  expect(of("scaled-linear:spacing=leading")).toEqual(
    fromBetas(scaledLinearBetas(), { steps: 8, spacing: "leading" }),
  );
});

test("a shift multiplies every noise level of the straight path", () => {
  const [one, three] = [of("flow"), of("flow:shift=3")];
  one.slice(1).forEach((sigma, i) => expect(three[i + 1]).toBeCloseTo(3 * sigma, 10));
});

test.each([
  ["karas", /no schedule is called "karas"; there are: karras,/],
  ["karras:rho=3", /schedule karras has no option "rho"; it has: none/],
  ["flow:shift", /NAME:KEY=VALUE, as in flow:shift=3; got "flow:shift"/],
  ["flow:shift=0", /shift of schedule flow is a number from 0.01 to 100, got 0/],
  ["linear:spacing=even", /spacing of schedule linear is one of trailing, leading, linspace, got "even"/],
  ["toString", /no schedule is called "toString"/],
])("%s is refused in a sentence", (text, message) => {
  expect(() => parseSchedule(text)).toThrow(message);
});

test("options of a schedule are given once, and numbers of steps have an end", () => {
  expect(() => parseSchedule("flow:shift=3,shift=4")).toThrow(
    "schedule flow:shift=3,shift=4 gives shift twice",
  );
  expect(() => parseSchedule("flow:shift=3=4")).toThrow("a schedule is written NAME:KEY=VALUE");
  expect(() => of("karras", { steps: 100_001 })).toThrow("steps is at most 100000, got 100001");
});
