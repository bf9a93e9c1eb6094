import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** Where tests are looked for: what the faults are about, and nothing that trains, writes pages or opens a browser. */
const FOLDERS = ["src/base", "src/diffusion", "src/guidance"];
const MORE = [
  "tests/guiderFixtures.test.ts",
  "src/networks/toldAndNoise.test.ts",
  "src/graph/perturb/embedding.test.ts",
];

/** The test files that import a file, directly or not, those that stand nearest first. Paths are relative to the root. */
export function relatedTests(root: string, file: string): string[] {
  const tests = [...FOLDERS.flatMap((folder) => testFiles(root, folder)), ...MORE];
  const related = tests.filter((test) => reachable(root, test).has(file));
  return related.sort((a, b) => distance(a, file) - distance(b, file) || a.localeCompare(b));
}

function testFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return testFiles(root, path);
    return entry.name.endsWith(".test.ts") ? [path] : [];
  });
}

/** Own test, same folder, folders in between, tests of whole runs. */
function distance(test: string, file: string): number {
  if (test === file.replace(/\.ts$/, ".test.ts")) return 0;
  const [from, to] = [dirname(test).split("/"), dirname(file).split("/")];
  let shared = 0;
  while (shared < Math.min(from.length, to.length) && from[shared] === to[shared]) shared++;
  return 1 + from.length + to.length - 2 * shared;
}

const seen = new Map<string, readonly string[]>();

/** All files that a file imports, directly or not. */
function reachable(root: string, file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const imported of importsOf(root, file)) reachable(root, imported, found);
  return found;
}

function importsOf(root: string, file: string): readonly string[] {
  const known = seen.get(file);
  if (known) return known;
  const text = readFileSync(join(root, file), "utf8");
  const imports = [...text.matchAll(/(?:from|import)\s+"(\.[^"]+\.ts)"/g)]
    .map(([, path]) => relative(root, join(root, dirname(file), path)))
    .filter((path) => existsSync(join(root, path)));
  seen.set(file, imports);
  return imports;
}
