import { expect, test } from "vitest";
import { canonicalJson, firstDifference } from "./json.ts";

test("the text does not depend on the order of keys, at any depth", () => {
  expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
});

test("the first difference is found by its path, missing keys and lengths included", () => {
  const config = { a: { b: [1, { c: 2 }] }, d: "x" };
  expect(firstDifference(config, { d: "x", a: { b: [1, { c: 2 }] } })).toBeNull();
  expect(firstDifference(config, { ...config, a: { b: [1, { c: 3 }] } })).toEqual({
    path: "a.b.1.c",
    a: 2,
    b: 3,
  });
  expect(firstDifference(config, { ...config, a: { b: [1] } })).toMatchObject({
    path: "a.b.1",
    b: undefined,
  });
  expect(firstDifference(config, { ...config, e: null })).toEqual({ path: "e", a: undefined, b: null });
  expect(firstDifference({ a: [] }, { a: {} })).toMatchObject({ path: "a" });
});
