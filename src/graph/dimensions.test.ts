import { expect, test } from "vitest";
import { namesIn, sizeFrom, solveFor } from "./dimensions.ts";

test("names of a dimension are those in its expression, or all of a text that is none", () => {
  expect(namesIn("batch_size")).toEqual(["batch_size"]);
  expect(namesIn("4*h")).toEqual(["h"]);
  expect(namesIn("past + Max(1, new)*past")).toEqual(["past", "new"]);
  expect(namesIn("batch size")).toEqual(["batch size"]);
  expect(namesIn("root(h)")).toEqual(["root(h)"]);
  expect(namesIn("(h")).toEqual(["(h"]);
  expect(namesIn("h)")).toEqual(["h)"]);
  expect(namesIn("h w")).toEqual(["h w"]);
  expect(namesIn("")).toEqual([""]);
});

test.each([
  ["h", 7],
  ["4*h", 28],
  ["(h - 2)//2 + 1", 3],
  ["h - 1 - 2", 4],
  ["2 + 3*h", 23],
  ["floor(h/2)", 3],
  ["ceiling(h/2) % 3", 1],
  ["Max(h, w, 2)", 9],
  ["min(h,w)", 7],
])("%s is %i where h is 7 and w is 9", (text, size) => {
  expect(sizeFrom(text, { h: 7, w: 9 })).toBe(size);
});

test("a dimension has no size where a name is open or the result is no size", () => {
  expect(sizeFrom("4*h", {})).toBeNull();
  expect(sizeFrom("h/2", { h: 7 })).toBeNull();
  expect(sizeFrom("h - 8", { h: 7 })).toBeNull();
  expect(sizeFrom("4*h", { "4*h": 12 })).toBe(12);
});

test("multiples can be solved", () => {
  expect(solveFor("h", 5)).toEqual(["h", 5]);
  expect(solveFor("4*h", 12)).toEqual(["h", 3]);
  expect(solveFor("4*h", 13)).toBeNull();
  expect(solveFor("h + 1", 13)).toBeNull();
  expect(solveFor("h*w", 12)).toBeNull();
});
