import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Method } from "../../src/guidance/method.ts";
import { methods } from "../../src/guidance/methods.ts";
import { type MethodPage, methodPage, parts } from "../../src/guidance/page.ts";
import { MADE, markdown, root, row } from "./markdown.ts";
import { type Shown, captionOf, shownOf } from "./shown.ts";

/** The page of a method, docs/guidance/NAME.md: its entry in the catalogue, its picture, and what is written in NAME.notes.md. */
export async function methodMarkdown(method: Method): Promise<string> {
  const page = methodPage(method);
  const { name, summary, formula, facts, options, part } = page;
  const notes = notesOf(name);
  const shown = await shownOf(method);
  const source = sourceOf(name);
  return markdown([
    `${MADE} from src/guidance/${source}${notes === null ? "" : ` and ${name}.notes.md`}: change that. -->`,
    `# ${name}`,
    summary,
    ["```", formula, "```"],
    `![${altOf(shown)}](../pictures/guidance/${name}.png)`,
    `_${captionOf(shown)} Made by \`npm run docs -- ${name}\`._`,
    [
      row(["", ""]),
      row(["---", "---"]),
      row(["is", part]),
      ...facts.map(([key, text]) => row([key, text])),
      row(["code", `[${source}](../../src/guidance/${source})`]),
    ],
    ["```sh", `npx ${page.example.command}`, `npx fairlead explain "${page.example.spec}"`, "```"],
    "## Options",
    [
      row(["option", "meaning", "values", "default"]),
      row(["---", "---", "---", "---"]),
      ...options.map((option) =>
        row([
          option.isStrength ? `**\`${option.name}\`**, what a bare number sets` : `\`${option.name}\``,
          option.meaning,
          `${option.wanted}${unitText(option)}`,
          `\`${option.default}\``,
        ]),
      ),
    ],
    ...formsMarkdown(page),
    ...(notes === null ? [] : [notes]),
  ]);
}

const unitText = ({ unit, wanted }: { unit: string; wanted: string }): string =>
  unit === "none" || unit.startsWith("one of") || unit === wanted ? "" : ` (${unit})`;

function formsMarkdown({ forms }: MethodPage): (string | string[])[] {
  if (forms === null) return [];
  return [
    "## How implementations differ",
    `\`form\`: ${forms.meaning}.`,
    [
      row(["form", "formula"]),
      row(["---", "---"]),
      ...forms.choices.map(({ form, formula }) =>
        row([
          `\`form=${form}\`${form === forms.default ? " (default)" : ""}`,
          formula === null ? "the same; what differs stands above" : `\`${formula}\``,
        ]),
      ),
    ],
  ];
}

function altOf({ specs }: Shown): string {
  return `The same seeds under ${specs.join(", ")}`;
}

/** What people wrote of the method; null: nothing. */
function notesOf(name: string): string | null {
  try {
    return readFileSync(join(root, "docs/guidance", `${name}.notes.md`), "utf8").trim();
  } catch {
    return null;
  }
}

/** The file of a method's catalogue entry, from src/guidance on. */
function sourceOf(name: string): string {
  const folder = join(root, "src/guidance");
  const entry = new RegExp(`^export const \\w+ = \\w+Method\\(\\{\\s*name: "${name}",`, "m");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".ts"),
  );
  const found = files.find((path) => entry.test(readFileSync(join(folder, path), "utf8")));
  if (found === undefined) throw new Error(`no file of src/guidance holds the entry of ${name}`);
  return found;
}

/** docs/guidance/README.md: every method in a table, a part a section. */
export function methodsMarkdown(): Promise<string> {
  const sections = Object.entries(parts).flatMap(([role, { all }]) => {
    const members = Object.values(methods).filter((method) => method.role === role);
    if (members.length === 0) return [];
    return [
      `## ${all}`,
      [
        row(["method", "what it does", "off", "costs more", "published default", "source"]),
        row(["---", "---", "---", "---", "---", "---"]),
        ...members.map(({ name, summary, strength, off, cost, published, source }) =>
          row([
            `[\`${name}\`](${name}.md)`,
            summary,
            off === null ? "never" : `\`${strength}=${off}\``,
            cost,
            published,
            source,
          ]),
        ),
      ],
    ];
  });
  return markdown([
    `${MADE} from src/guidance/methods.ts: change the methods' entries. -->`,
    "# Guidance methods",
    `The ${Object.keys(methods).length} methods, each with its formula, a picture, what it costs and when to use it. The same is printed by ` +
      "`fairlead methods` and `fairlead methods NAME`; `fairlead explain SPEC` says what an expression asks for at each noise level.",
    "A weak method and a way to combine go together as `WEAK~NAME` (`pag:3~apg`), everything else is joined by `+`: " +
      "[methods together](composition.md) has the grammar, intervals, and which to choose.",
    ...sections,
  ]);
}
