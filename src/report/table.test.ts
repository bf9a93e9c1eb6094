import { expect, test } from "vitest";
import type { Table } from "./table.ts";
import { isBest, markdownTable, terminalTable } from "./table.ts";

const table: Table = {
  columns: [
    { title: "guidance" },
    { title: "recall", decimals: 3, better: "higher" },
    { title: "cost", unit: "evaluations", better: "lower" },
    { title: "time", unit: "s" },
  ],
  rows: [
    ["none", 0.9271, 63, 1.25],
    ["cfg:4", 0.48, 8192, 2.5],
    ["a|b", null, 63, null],
  ],
  notes: ["N = 8,192 samples."],
};

test("a terminal table aligns numbers right and words left, units under titles, notes below", () => {
  expect(terminalTable(table)).toBe(
    [
      "guidance  recall ↑         cost ↓  time",
      "                    (evaluations)   (s)",
      "───────────────────────────────────────",
      "none         0.927             63  1.25",
      "cfg:4        0.480          8,192  2.50",
      "a|b              –             63     –",
      "",
      "N = 8,192 samples.",
    ].join("\n"),
  );
});

test("a Markdown table escapes pipes, aligns, and prints the best cells in bold", () => {
  expect(markdownTable(table)).toBe(
    [
      "| guidance | recall ↑ | cost ↓ (evaluations) | time (s) |",
      "| :--- | ---: | ---: | ---: |",
      "| none | **0.927** | **63** | 1.25 |",
      "| cfg:4 | 0.480 | 8,192 | 2.50 |",
      "| a\\|b | – | **63** | – |",
      "",
      "- N = 8,192 samples.",
    ].join("\n"),
  );
});

test("the best cell ignores NaN and missing values, and a column with one number has no best", () => {
  const columns = [{ title: "distance", better: "lower" as const }];
  const withNaN: Table = { columns, rows: [[NaN], [null], [3], [2]] };
  expect([0, 1, 2, 3].map((row) => isBest(withNaN, row, 0))).toEqual([false, false, false, true]);
  expect(isBest({ columns, rows: [[3], [null]] }, 0, 0)).toBe(false);
});

test("wide characters outside the basic plane count as one", () => {
  const lines = terminalTable({
    columns: [{ title: "a" }, { title: "b" }],
    rows: [
      ["𝜎", 1],
      ["xx", 2],
    ],
  }).split("\n");
  expect(lines.slice(2)).toEqual(["𝜎   1", "xx  2"]);
});
