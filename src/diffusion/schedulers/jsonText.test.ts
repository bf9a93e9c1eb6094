import { expect, test } from "vitest";
import { FileError } from "../../base/errors.ts";
import { parseLooseJson } from "./jsonText.ts";

const parse = (text: string): unknown => parseLooseJson(text, "the config");

test("JSON is read as JSON.parse reads it", () => {
  const value = { a: [1, -2.5e-3, true, null, 'x\\"y\u00e9'], b: { "": {} } };
  expect(parse(JSON.stringify(value, null, 2))).toEqual(value);
  expect(parse("  17 ")).toBe(17);
});

test("bare infinite numbers are read as their words, in any place", () => {
  expect(parse('{"a": -Infinity, "b":[Infinity,NaN , -Infinity]}')).toEqual({
    a: "-Infinity",
    b: ["Infinity", "NaN", "-Infinity"],
  });
  expect(parse("-Infinity")).toBe("-Infinity");
});

test("words inside a text stay as they are, also after an escaped quote", () => {
  const value = { Infinity: "NaN", note: 'a "-Infinity" \\', more: '\\"NaN' };
  expect(parse(JSON.stringify(value))).toEqual(value);
});

test("what is not JSON is refused with a sentence, whatever is wrong", () => {
  for (const text of [
    "",
    "{",
    '{"a": +Infinity}',
    '{"a": Infinity1}',
    '"open',
    '"open\\',
    "'a'",
    "{a: 1}",
    "[1,]",
    "\0",
  ])
    expect(() => parse(text), text).toThrow(
      new FileError("the config is not JSON: give a scheduler_config.json"),
    );
});

test("hostile texts end soon: open quotes, deep brackets, many words, four million characters and more", () => {
  expect(() => parse('"\\"'.repeat(300_000))).toThrow(FileError);
  expect(() => parse("[".repeat(1_000_000))).toThrow(FileError);
  expect(parse(`[${"NaN,".repeat(200_000)}1]`)).toHaveLength(200_001);
  expect(() => parse(" ".repeat(4_000_001))).toThrow("4000001 characters");
});
