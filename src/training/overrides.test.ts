import { expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { applyOverrides } from "./overrides.ts";

const config = { seed: 0, training: { images: 10, ema: [{ decay: 0.9 }] } };

test("a dotted key sets a value and leaves everything else, and the original, as they were", () => {
  const changed = applyOverrides(config, ["training.images=64", "training.ema.0.decay=0.99", "name=a=b"]);
  expect(changed).toEqual({ seed: 0, training: { images: 64, ema: [{ decay: 0.99 }] }, name: "a=b" });
  expect(config).toEqual({ seed: 0, training: { images: 10, ema: [{ decay: 0.9 }] } });
});

test("values are JSON where they are JSON, else text", () => {
  const values = ["1e-3", "true", "null", "[1,2]", '{"every":5}', "tree", '"7"', ""];
  expect(values.map((text) => applyOverrides({}, [`a=${text}`]).a)).toEqual([
    1e-3,
    true,
    null,
    [1, 2],
    { every: 5 },
    "tree",
    "7",
    "",
  ]);
});

test("later overrides win, missing objects are made, and a list grows at its end", () => {
  expect(applyOverrides({}, ["a.b.c=1", "a.b.c=2"])).toEqual({ a: { b: { c: 2 } } });
  expect(applyOverrides(config, ["training.ema.1.decay=0.5"]).training).toMatchObject({
    ema: [{ decay: 0.9 }, { decay: 0.5 }],
  });
});

test.each<[string, RegExp]>([
  ["training.images", /wants key=value such as training\.batchSize=64, got "training\.images"/],
  ["=5", /wants key=value/],
  ["training..images=5", /empty part/],
  ["seed.x=5", /what stands before "\.x" is 0, which has no keys/],
  ["training.ema.7.decay=5", /"7" is no position in a list of 1 \(0 to 1\)/],
  ["training.ema.first=5", /"first" is no position/],
])("--set %s is refused", (override, message) => {
  expect(() => applyOverrides(config, [override])).toThrow(UsageError);
  expect(() => applyOverrides(config, [override])).toThrow(message);
});

test("names that objects inherit are keys like any other", () => {
  const changed = applyOverrides({}, ["__proto__.polluted=1", "constructor.x=2"]);
  expect(Object.keys(changed)).toEqual(["__proto__", "constructor"]);
  expect(Object.getPrototypeOf(changed)).toBe(Object.prototype);
  expect("polluted" in {}).toBe(false);
});
