import { count, fixed, significant } from "./format.ts";

export type Cell = string | number | null;

export interface Column {
  readonly title: string;
  /** Shown under (terminal) or beside (Markdown, HTML) the title. */
  readonly unit?: string;
  /** Default: right where every cell is a number or missing, otherwise left. */
  readonly align?: "left" | "right";
  /** Digits after the point of numeric cells. Default: whole numbers as they are, others to 3 significant digits. */
  readonly decimals?: number;
  /** Which end is good; the header then says so and the best cell stands out. Default: neither. */
  readonly better?: "higher" | "lower";
}

/** What every table is, whether it ends in a terminal, in Markdown or on a page. `null` is a missing value. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  /** Sentences that stand under the table: N, extractor, command. */
  readonly notes?: readonly string[];
}

export const missing = "–";

/** The text of a cell; a missing value is "–". */
export function cellText(cell: Cell | undefined, column: Column): string {
  if (cell === null || cell === undefined) return missing;
  if (typeof cell === "string") return cell;
  if (column.decimals !== undefined) return fixed(cell, column.decimals);
  return Number.isInteger(cell) ? count(cell) : significant(cell);
}

/** The side on which a column's cells end, its own or the one its cells ask for. */
export function alignment(table: Table, index: number): "left" | "right" {
  const numeric = table.rows.every((row) => typeof row[index] !== "string");
  return table.columns[index].align ?? (numeric ? "right" : "left");
}

/** Header words of a column: its title, with an arrow where one end is better. */
export function headerText(column: Column): string {
  if (column.better === undefined) return column.title;
  return `${column.title} ${column.better === "higher" ? "↑" : "↓"}`;
}

/** Whether this cell shows its column's best number (ties as printed all win). False without `better` or a rival. */
export function isBest(table: Table, row: number, index: number): boolean {
  const column = table.columns[index];
  const cell = table.rows[row][index];
  if (column.better === undefined || typeof cell !== "number") return false;
  const numbers = table.rows
    .map((r) => r[index])
    .filter((c): c is number => typeof c === "number" && !Number.isNaN(c));
  if (numbers.length < 2) return false;
  const best = column.better === "higher" ? Math.max(...numbers) : Math.min(...numbers);
  return cellText(cell, column) === cellText(best, column);
}

/**
 * The table as aligned plain text for a terminal: titles, units, a rule, the rows, then the notes.
 * Lines end without spaces; there is no newline at the end.
 */
export function terminalTable(table: Table): string {
  const body = table.rows.map((row) => table.columns.map((column, i) => cellText(row[i], column)));
  const titles = table.columns.map(headerText);
  const units = table.columns.map((column) => (column.unit === undefined ? "" : `(${column.unit})`));
  const header = units.some((unit) => unit !== "") ? [titles, units] : [titles];

  const widths = titles.map((_, i) => Math.max(...[...header, ...body].map((cells) => width(cells[i]))));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => padded(cell, widths[i], alignment(table, i)))
      .join("  ")
      .trimEnd();

  const rule = widths.map((w) => "─".repeat(w)).join("──");
  const notes = table.notes?.length ? ["", ...table.notes] : [];
  return [...header.map(line), rule, ...body.map(line), ...notes].join("\n");
}

/** The table as GitHub-flavoured Markdown, the best cells in bold, the notes as a list under it. */
export function markdownTable(table: Table): string {
  const titles = table.columns.map((column) =>
    column.unit === undefined ? headerText(column) : `${headerText(column)} (${column.unit})`,
  );
  const rule = table.columns.map((_, i) => (alignment(table, i) === "right" ? "---:" : ":---"));
  const body = table.rows.map((row, r) =>
    table.columns.map((column, i) => {
      const text = markdownEscape(cellText(row[i], column));
      return isBest(table, r, i) ? `**${text}**` : text;
    }),
  );
  const lines = [titles.map(markdownEscape), rule, ...body].map((cells) => `| ${cells.join(" | ")} |`);
  const notes = table.notes?.length ? ["", ...table.notes.map((note) => `- ${note}`)] : [];
  return [...lines, ...notes].join("\n");
}

function markdownEscape(text: string): string {
  return text.replace(/[|\\]/g, "\\$&").replace(/\s*\n\s*/g, " ");
}

function width(text: string): number {
  return Array.from(text).length;
}

function padded(text: string, to: number, align: "left" | "right"): string {
  const space = " ".repeat(to - width(text));
  return align === "right" ? space + text : text + space;
}
