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
  const matching = matchColumns(comparison);
  const rows = comparison.methods.map((method): readonly Cell[] => [
    method.guidance,
    ...matching.map(({ of }) => of(method)),
    ...names.map((name) => method.metrics?.[name] ?? null),
    sum(method),
    method.seconds ?? null,
  ]);
  const columns: Column[] = [
    { title: "guidance" },
    ...matching.map(({ of: _, ...column }) => column),
    ...names.map((name) => metricColumns[name]),
    { title: "evaluations", unit: "a sample", decimals: 0 },
    { title: "time", unit: "s", decimals: 1 },
  ];
  return { columns, rows, notes: notesOf(comparison) };
}

/** What a comparison on equal terms changed for each method, and what it holds equal. */
function matchColumns({ matching }: ModelComparison): (Column & { of(method: MethodResult): Cell })[] {
  if (!matching) return [];
  return matching.by === "evaluations"
    ? [{ title: "steps", decimals: 0, of: ({ matched }) => matched?.steps ?? null }]
    : [
        { title: "asked for", of: ({ matched }) => matched?.asked ?? null },
        { title: "effective weight", decimals: 3, of: ({ matched }) => matched?.got ?? null },
      ];
}

/** In words: what was held equal, at what, and how nearly. */
function matchNote({ matching, methods }: ModelComparison): string[] {
  if (!matching) return [];
  const { by, wanted, reference, samples } = matching;
  const whose = reference === null ? "as asked" : `that of ${reference}`;
  const far = methods.flatMap(({ matched }) => (matched ? [Math.abs(matched.got - wanted)] : []));
  const most = Math.max(0, ...far);
  if (by === "evaluations") {
    return [
      `Matched by evaluations: each method took as many steps as bring it nearest to ${wanted} evaluations a sample (${whose}), a ` +
        `gradient counted as one; the farthest is ${most} off.`,
    ];
  }
  return [
    `Matched by effective weight: strengths were scaled until each method goes as far along CFG's way as CFG of weight ` +
      `${Number(wanted.toPrecision(4))} does (${whose}), in the mean over the steps of ${samples} samples; what has no strength stays as ` +
      `it was asked for.`,
  ];
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
  const taken = comparison.matching?.by === "evaluations" ? "steps as in the table" : `${steps} steps`;
  const notes = [
    `N = ${n} samples of each method, ${sampler} with ${taken}, ${condition}.`,
    ...matchNote(comparison),
  ];
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
