import { samplers } from "../../src/diffusion/samplers/index.ts";
import { samplerPage } from "../../src/diffusion/samplers/page.ts";
import { MADE, markdown, row } from "./markdown.ts";

/** docs/samplers.md: every sampler in a table, and the options of each. */
export function samplersMarkdown(): Promise<string> {
  const pages = Object.values(samplers).map(samplerPage);
  return markdown([
    `${MADE} from src/diffusion/samplers: change the samplers' entries. -->`,
    "# Samplers",
    `The ${pages.length} samplers that \`--sampler\` takes. \`fairlead samplers NAME\` prints one with its options, which \`--sampler-option KEY=VALUE\` ` +
      "sets. Order is that of convergence as steps become many; evaluations are of the (guided) denoiser, for N steps.",
    [
      row(["sampler", "what it is", "order", "evaluations", "noise", "remarks", "source"]),
      row(["---", "---", "---:", "---:", "---", "---", "---"]),
      ...pages.map((page) =>
        row([
          page.options.length > 0 ? `[\`${page.name}\`](#${page.name})` : `\`${page.name}\``,
          page.description,
          String(page.order),
          page.evaluations,
          page.noise,
          page.remarks.join("; "),
          page.source,
        ]),
      ),
    ],
    ...pages
      .filter(({ options }) => options.length > 0)
      .flatMap(({ name, options }) => [
        `## ${name}`,
        [
          row(["option", "meaning", "values", "default"]),
          row(["---", "---", "---", "---"]),
          ...options.map((option) =>
            row([`\`${option.name}\``, option.meaning, option.wanted, `\`${option.default}\``]),
          ),
        ],
      ]),
  ]);
}
