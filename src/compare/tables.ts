import type { Cell, Column, Table } from "../report/table.ts";
import { LOG_DENSITY_FLOOR } from "./measurePlane.ts";
import type { MethodResult, ModelComparison } from "./comparison.ts";

/** The columns of each metric, by its name in the results. */
const metricColumns: Readonly<Record<string, Column>> = {
  accuracy: { title: "class accuracy", decimals: 3, better: "higher" },
  meanLogDensity: { title: "mean log density", unit: "nats", decimals: 3 },
  outlierRate: { title: "outliers", decimals: 4, better: "lower" },
  energyDistance: { title: "energy distance", decimals: 4, better: "lower" },
  frechetDistance: { title: "Fréchet distance", decimals: 2, better: "lower" },
  precision: { title: "precision", decimals: 3 },
  recall: { title: "recall", decimals: 3 },
};

const sum = ({ evaluations }: MethodResult): number | null =>
  evaluations ? evaluations.networks + evaluations.gradients : null;

/** What one model gave, a row a method. */
export function methodTable(comparison: ModelComparison): Table {
  const names = metricNames(comparison.methods.map(({ metrics }) => metrics));
  const rows = comparison.methods.map((method): readonly Cell[] => [
    method.guidance,
    ...names.map((name) => method.metrics?.[name] ?? null),
    sum(method),
    method.seconds ?? null,
  ]);
  const columns: Column[] = [
    { title: "guidance" },
    ...names.map((name) => metricColumns[name]),
    { title: "evaluations", unit: "a sample", decimals: 0 },
    { title: "time", unit: "s", decimals: 1 },
  ];
  return { columns, rows, notes: notesOf(comparison) };
}

/** Results measured before with many samples, that came with the model; null where there are none. */
export function cardTable({ card }: ModelComparison): Table | null {
  if (card.length === 0) return null;
  const names = metricNames(card.map(({ metrics }) => metrics));
  const rows = card.map(({ guidance, label, samples, metrics }): readonly Cell[] => [
    guidance,
    label === null ? "none" : label,
    samples,
    ...names.map((name) => metrics[name] ?? null),
  ]);
  const commands = [...new Set(card.map(({ command }) => command))];
  return {
    columns: [
      { title: "guidance" },
      { title: "condition" },
      { title: "N", unit: "samples", decimals: 0 },
      ...names.map((name) => metricColumns[name]),
    ],
    rows,
    notes: [
      `Measured before, with the number of samples in column N; each by: ${commands.join(" ; ")}`,
      "The Fréchet distance is between features of the model's own classifier: compare it within this table only.",
    ],
  };
}

function metricNames(all: readonly (Readonly<Record<string, number>> | undefined)[]): string[] {
  return Object.keys(metricColumns).filter((name) => all.some((metrics) => metrics && name in metrics));
}

function notesOf(comparison: ModelComparison): string[] {
  const { kind, methods, extractor, reference, sampler, steps, label, classes } = comparison;
  const n = methods.find((method) => method.n !== undefined)?.n ?? 0;
  const inTurn = classes.length === 1 ? `class ${classes[0]}` : "classes in turn";
  const condition = label === null ? "no condition" : label === "classes" ? inTurn : `class ${label}`;
  const notes = [`N = ${n} samples of each method, ${sampler} with ${steps} steps, ${condition}.`];
  if (kind === "plane")
    notes.push(`A sample's log density counts as ${LOG_DENSITY_FLOOR} where it is below that.`);
  if (extractor) notes.push(`Measured with: ${extractor}${reference ? `, against ${reference}` : ""}.`);
  if (kind === "image" && !reference) {
    notes.push(
      `A distance between distributions means nothing over ${n} images, so none is shown; --samples 5000 measures it.`,
    );
  }
  for (const { guidance, skipped } of methods)
    if (skipped !== undefined) notes.push(`${guidance}: ${skipped}.`);
  return notes;
}
