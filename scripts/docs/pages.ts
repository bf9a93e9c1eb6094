import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { methodNamed, methods } from "../../src/guidance/methods.ts";
import { MADE, root } from "./markdown.ts";
import { methodMarkdown, methodsMarkdown } from "./methodPages.ts";
import { samplersMarkdown } from "./samplersPage.ts";

/** Every page that is made from a catalogue: its path in the repository and its text. */
export async function pages(): Promise<ReadonlyMap<string, string>> {
  const made = new Map<string, string>();
  for (const method of Object.values(methods))
    made.set(`docs/guidance/${method.name}.md`, await methodMarkdown(method));
  made.set("docs/guidance/README.md", await methodsMarkdown());
  made.set("docs/samplers.md", await samplersMarkdown());
  return made;
}

/** Pages in docs/guidance that were made of a method that is not there any more, and pictures of such. */
export async function stray(): Promise<readonly string[]> {
  const strays: string[] = [];
  for (const folder of ["docs/guidance", "docs/pictures/guidance"]) {
    for (const file of await readdir(join(root, folder)).catch(() => [])) {
      const [, name, kind] = /^(.*)\.(md|png)$/.exec(file) ?? [];
      if (name === undefined || name === "README" || methodNamed(name) !== undefined) continue;
      const path = `${folder}/${file}`;
      if (kind === "png" || (await readFile(join(root, path), "utf8")).startsWith(MADE)) strays.push(path);
    }
  }
  return strays;
}
