import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mt19937 } from "./mt19937.ts";
import { torchGenerator } from "./torchGenerator.ts";

interface Row {
  readonly source: string;
  /** A list is mixed in word by word. */
  readonly seed: number | readonly number[];
  readonly first: readonly number[];
  /** From word 620 on: over the second twist. */
  readonly at_620?: readonly number[];
  readonly last?: readonly number[];
  readonly sha256?: string;
  readonly count: number;
}

// Words of numpy 2.4.6, torch 2.13.0 and Python 3.11 (tests/fixtures/rng).
const fixture = new URL("../../tests/fixtures/rng/mt19937.json", import.meta.url);
const rows = JSON.parse(readFileSync(fixture, "utf8")) as Row[];
const of = (source: string): Row[] => rows.filter((row) => row.source.startsWith(source));

test("there are rows of each", () => {
  expect(rows).toHaveLength(14);
  expect(["numpy", "torch", "python"].map((source) => of(source).length)).toEqual([7, 5, 2]);
});

test.each(of("numpy"))("seed $seed gives numpy's $count words", ({ seed, count, ...row }) => {
  const word = mt19937(seed);
  const words = Array.from({ length: count }, word);
  expect(words.slice(0, row.first.length)).toEqual(row.first);
  expect(words.slice(620, 620 + row.at_620!.length)).toEqual(row.at_620);
  expect(words.slice(-row.last!.length)).toEqual(row.last);
  const bytes = new Uint8Array(Uint32Array.from(words).buffer);
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(row.sha256);
});

test.each(of("torch"))("seed $seed gives torch's random_(0, 2**31)", ({ seed, count, first }) => {
  expect(Array.from(torchGenerator(seed as number).randint(0, 2 ** 31, count))).toEqual(first);
});

test.each(of("python"))(
  "Python's Random($seed) is seeded by the list of its words",
  ({ seed, count, first }) => {
    const word = mt19937([seed as number]);
    expect(Array.from({ length: count }, word)).toEqual(first);
  },
);
