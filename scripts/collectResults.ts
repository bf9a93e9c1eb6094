/**
 * Puts the results of several comparisons of one model together, as the card rows that are shipped with it.
 *
 *   npx tsx scripts/collectResults.ts checkpoints/fashion-mnist/results.json runs/compare-*\/results.json
 *
 * Prints them as a Markdown table.
 */
import { readFile } from "node:fs/promises";
import type { CardRow, Comparison } from "../src/compare/index.ts";
import { markdownTable } from "../src/report/table.ts";
import { writeAtomically } from "../src/files/atomicFile.ts";

const [out, ...files] = process.argv.slice(2);
const rows: CardRow[] = [];
for (const file of files) {
  const { command, models } = JSON.parse(await readFile(file, "utf8")) as Comparison;
  for (const { label, methods, sampler, steps, extractor, reference } of models) {
    for (const { guidance, n, metrics, evaluations } of methods) {
      if (n === undefined || !metrics) continue;
      const row = { guidance, label: label === null ? null : String(label), samples: n, metrics, command };
      rows.push({ ...row, ...{ sampler, steps, extractor, reference, evaluations } });
    }
  }
}
await writeAtomically(out, `${JSON.stringify({ rows }, null, 2)}\n`);

const names = ["frechetDistance", "precision", "recall", "accuracy"];
console.log(
  markdownTable({
    columns: [
      { title: "condition" },
      { title: "guidance" },
      ...names.map((title) => ({ title, decimals: 3 })),
    ],
    rows: rows.map(({ label, guidance, metrics }) => [
      label ?? "none",
      guidance,
      ...names.map((name) => metrics[name] ?? null),
    ]),
  }),
);
