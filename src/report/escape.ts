/** Markup that may stand in a page as it is. Only `markup` and `trusted` make it. */
export interface Html {
  readonly markup: string;
}

type Piece = Html | string | number | null | undefined | false | readonly Piece[];

/** Text as it may stand in HTML, XML and their quoted attributes. */
export function escape(text: string): string {
  return text
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;")
    .replace(/'/g, "&#39;");
}

/**
 * A template that escapes every value put into it; values that `markup` made stay as they are, lists are
 * joined, and null, undefined and false leave nothing. Attributes must be quoted.
 */
export function markup(strings: TemplateStringsArray, ...values: readonly Piece[]): Html {
  return { markup: strings.reduce((text, part, i) => text + markupOf(values[i - 1]) + part) };
}

/** Markup that this package made itself, taken as it is. */
export function trusted(markup: string): Html {
  return { markup };
}

function markupOf(value: Piece): string {
  if (value === null || value === undefined || value === false) return "";
  if (typeof value === "string") return escape(value);
  if (typeof value === "number") return String(value);
  return "markup" in value ? value.markup : value.map(markupOf).join("");
}
