import { expect, test } from "vitest";
import { UsageError } from "../../base/errors.ts";
import { samplerByName, samplers } from "./index.ts";
import { samplerCases } from "./samplers.cases.ts";

for (const sampler of Object.values(samplers)) samplerCases(sampler);

test("every sampler is found by its name", () => {
  for (const name of Object.keys(samplers)) expect(samplerByName(name).name).toBe(name);
});

test("an unknown sampler is refused with the list of names", () => {
  expect(() => samplerByName("plms")).toThrow(UsageError);
  expect(() => samplerByName("plms")).toThrow(
    'no sampler is called "plms"; there are: ddpm, ddim, euler, heun, euler-ancestral, dpmpp-2m',
  );
  expect(() => samplerByName("toString")).toThrow("no sampler");
});
