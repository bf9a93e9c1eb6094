import type { Html } from "./escape.ts";
import { markup, trusted } from "./escape.ts";
import { section } from "./htmlSections.ts";
import type { Section } from "./htmlSections.ts";
import { zoomScript, pageStyle } from "./htmlStyle.ts";

export interface ReportOptions {
  readonly title: string;
  /** One or two sentences under the title. */
  readonly subtitle?: string;
  readonly sections: readonly Section[];
  /** How the page was made: shown at its end and, as JSON, readable by programs. `command` is shown first. */
  readonly recipe: { readonly command: string; readonly [key: string]: unknown };
}

/**
 * A whole page as text: it needs nothing outside itself, neither network nor scripts. Pictures are data: URIs. It
 * follows the reader's light or dark setting, reads on narrow screens, and prints.
 *
 * All text is escaped; figures' SVGs are taken as they are and must come from this package. The recipe stands in
 * <script type="application/json" id="fairlead-recipe">.
 */
export function htmlReport({ title, subtitle, sections, recipe }: ReportOptions): string {
  const headed = sections.map((content, i) => ({ content, id: `section-${i + 1}` }));
  const links = headed.filter(({ content }) => content.heading !== undefined);
  const contents =
    links.length > 2 &&
    markup`<nav aria-label="Contents">
      <ul>
        ${links.map(({ content, id }) => markup`<li><a href="#${id}">${content.heading}</a></li>`)}
      </ul>
    </nav>`;
  const hasPictures = sections.some(function pictures(content): boolean {
    return content.kind === "pictures" || (content.kind === "details" && content.sections.some(pictures));
  });

  return markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="generator" content="fairlead" />
        <title>${title}</title>
        <style>${trusted(pageStyle)}</style>
      </head>
      <body>
        <header class="page">
          <h1>${title}</h1>
          ${subtitle !== undefined && markup`<p class="subtitle">${subtitle}</p>`}
          ${contents}
        </header>
        <main class="page">${headed.map(({ content, id }) => section(content, id))}</main>
        <footer class="page">${recipeBlock(recipe)}</footer>
        ${hasPictures && trusted(`<script>${zoomScript}</script>`)}
      </body>
    </html>
`.markup;
}

function recipeBlock(recipe: ReportOptions["recipe"]): Html {
  const { command, ...rest } = recipe;
  return markup`<h2>How this page was made</h2>
    <pre><code>${command}</code></pre>
    <details>
      <summary>The full recipe</summary>
      <pre><code>${JSON.stringify(rest, null, 2)}</code></pre>
    </details>
    <script type="application/json" id="fairlead-recipe">${trusted(scriptJson(recipe))}</script>`;
}

/** JSON that cannot end the script element it stands in. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(/</g, "\\u003c");
}
