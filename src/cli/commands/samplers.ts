import { samplerByName, samplers } from "../../diffusion/samplers/index.ts";
import { type SamplerPage, samplerPage } from "../../diffusion/samplers/page.ts";
import { type Io, print, printJson } from "../io.ts";
import { common, readOptions } from "../options.ts";

/** `fairlead samplers [NAME]`: the samplers, or one with all its options. */
export function runSamplers(io: Io, name: string | undefined, given: unknown): number {
  const { json } = readOptions({ json: common.json }, given);
  if (name !== undefined) {
    const page = samplerPage(samplerByName(name));
    if (json) printJson(io, page);
    else for (const line of details(page)) print(io, line);
    return 0;
  }
  const pages = Object.values(samplers).map(samplerPage);
  if (json) printJson(io, pages);
  else for (const line of overview(pages)) print(io, line);
  return 0;
}

function overview(pages: readonly SamplerPage[]): string[] {
  const widthOf = (of: (page: SamplerPage) => string): number =>
    Math.max(...pages.map((page) => of(page).length));
  const [names, costs] = [widthOf(({ name }) => name), widthOf(({ evaluations }) => evaluations)];
  return [
    `${"sampler".padEnd(names)}  order  ${"evaluations".padEnd(costs)}  noise`,
    ...pages.flatMap(({ name, description, order, evaluations, noise }) => [
      `${name.padEnd(names)}  ${String(order).padEnd(5)}  ${evaluations.padEnd(costs)}  ${noise.padEnd(12)}  ${description}`,
    ]),
    "",
    "Evaluations are of the denoiser, for N steps. All options of one: fairlead samplers NAME; give them as --sampler-option KEY=VALUE",
  ];
}

function details({
  name,
  description,
  source,
  order,
  evaluations,
  noise,
  remarks,
  options,
}: SamplerPage): string[] {
  const facts = Object.entries({
    order: String(order),
    evaluations: `${evaluations}, for N steps`,
    noise,
    source,
  });
  const lines = options.flatMap((option) => [
    `  ${option.name}: ${option.meaning}`,
    `      ${option.wanted}; default: ${option.default}`,
  ]);
  return [
    `${name}: ${description}`,
    ...facts.map(([key, text]) => `  ${key.padEnd(11)}  ${text}`),
    ...remarks.map((text) => `  ${text}`),
    ...(lines.length > 0 ? ["", "Options (--sampler-option KEY=VALUE):", ...lines] : []),
  ];
}
