/**
 * Makes the pages that come from the catalogues: docs/guidance/NAME.md and README.md, docs/samplers.md, and the methods' pictures.
 *
 *   npm run docs                       all pages, and the pictures that are missing or no longer what the catalogue asks for
 *   npm run docs -- cfg pag            the pages of these methods, and their pictures anew
 *   npm run docs -- --no-pictures      text alone
 *
 * Stopped at any time, it goes on where it was.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../src/base/errors.ts";
import { writeAtomically } from "../src/files/atomicFile.ts";
import type { Method } from "../src/guidance/method.ts";
import { methodNamed, methods } from "../src/guidance/methods.ts";
import { type Model, openModel } from "../src/models/model.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { writeBrightness } from "./docs/brightness.ts";
import { root } from "./docs/markdown.ts";
import { pages, stray } from "./docs/pages.ts";
import { drawMethod, isCurrent } from "./docs/pictures.ts";
import { shownOf } from "./docs/shown.ts";

const words = process.argv.slice(2);
const named = words.filter((word) => !word.startsWith("--"));
const unknown = named.find((name) => methodNamed(name) === undefined);
const wrong = words.find((word) => word.startsWith("--") && word !== "--no-pictures");
if (unknown ?? wrong) {
  console.error(`"${unknown ?? wrong}" is no method and no option: give names of methods, or --no-pictures`);
  process.exit(2);
}

await writeBrightness();
for (const [path, text] of await pages()) {
  await mkdir(join(root, path, ".."), { recursive: true });
  await writeAtomically(join(root, path), text);
}
for (const path of await stray()) {
  await rm(join(root, path));
  console.log(`${path} is of no method any more: removed`);
}

if (!words.includes("--no-pictures")) {
  const wanted = named.length > 0 ? named.map((name) => methods[name]) : Object.values(methods);
  await draw(wanted, named.length > 0);
}

async function draw(wanted: readonly Method[], anew: boolean): Promise<void> {
  await using runtime = nodeRuntime();
  const models = new Map<string, Model>();
  await mkdir(join(root, "docs/pictures/guidance"), { recursive: true });
  for (const method of wanted) {
    if (!anew && (await isCurrent(method))) continue;
    const { model: name, specs } = await shownOf(method);
    const start = performance.now();
    const model = models.get(name) ?? (await openModel(runtime, name));
    models.set(name, model);
    try {
      await drawMethod(method, model);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      console.error(`${method.name}: ${error.message}`);
      process.exitCode = 1;
      continue;
    }
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`${method.name}: ${specs.join(", ")} on ${name}, ${seconds} s`);
  }
  for (const model of models.values()) await model.dispose();
}
