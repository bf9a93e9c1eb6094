import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** How every page begins that is made. */
export const MADE = '<!-- Made by "npm run docs"';

/** Paragraphs (a list of lines is one) as Markdown, formatted as the repository's files are. */
export async function markdown(paragraphs: readonly (string | readonly string[])[]): Promise<string> {
  const text = paragraphs.map((one) => (typeof one === "string" ? one : one.join("\n"))).join("\n\n");
  const config = await resolveConfig(`${root}/docs/page.md`, { editorconfig: true });
  return format(`${text}\n`, { ...config, parser: "markdown" });
}

/** A row of a table. Bars, and tags that would be taken for HTML, are escaped outside of code. */
export function row(cells: readonly string[]): string {
  return `| ${cells.map(cell).join(" | ")} |`;
}

function cell(text: string): string {
  return text
    .split(/(`[^`]*`|\[[^\]]*\]\([^)]*\))/)
    .map((part, i) =>
      i % 2 === 0 ? part.replace(/<(?=[A-Za-z/])|\*/g, (sign) => escaped(sign, part)) : part,
    )
    .join("")
    .replaceAll("|", "\\|");
}

/** Markdown's own signs, where they do not mark: ** of the text around is kept. */
function escaped(sign: string, part: string): string {
  return sign === "*" && part.includes("**") ? sign : `\\${sign}`;
}
