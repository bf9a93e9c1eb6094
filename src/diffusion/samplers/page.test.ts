import { describe, expect, test } from "vitest";
import { samplers } from "./index.ts";
import { samplerPage } from "./page.ts";

describe.each(Object.values(samplers))("$name", (sampler) => {
  const page = samplerPage(sampler);

  test("costs what its text says", () => {
    for (const steps of [20, 31, 40]) {
      const count = sampler.evaluations(steps);
      const match = /^(\d*)N(?: ([+-]) (\d+))?$/.exec(page.evaluations);
      if (match === null) continue;
      const [, slope, sign, rest = "0"] = match;
      expect(Number(slope || 1) * steps + Number(`${sign ?? ""}${rest}`)).toBe(count);
    }
    if (sampler.evaluations(20) === null) expect(page.evaluations).toBe("as it decides");
  });

  test("tells its options, each with what it takes and a default that it takes", () => {
    expect(page.options.map(({ name }) => name)).toEqual(Object.keys(sampler.options));
    for (const { wanted, default: value } of page.options) {
      const choices = /^one of (.*)$/.exec(wanted)?.[1].split(", ");
      if (choices) expect(choices).toContain(value);
      else if (wanted === "true or false") expect(["true", "false"]).toContain(value);
    }
  });

  test("names where it is from", () => {
    expect(page.source).toMatch(/arXiv:\d{4}\.\d{5}|the classical method/);
  });
});

test("evaluations are a formula in N", () => {
  expect(samplerPage(samplers.euler).evaluations).toBe("N");
  expect(samplerPage(samplers.heun).evaluations).toBe("2N - 1");
  expect(samplerPage(samplers["dpm-adaptive"]).evaluations).toBe("as it decides");
});
