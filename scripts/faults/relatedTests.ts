import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** Where tests are looked for: what the faults are about, and nothing that trains, writes pages or opens a browser. */
const FOLDERS = ["src/base", "src/diffusion", "src/guidance"];
const MORE = [
  "tests/guiderFixtures.test.ts",
  "src/networks/toldAndNoise.test.ts",
  "src/graph/perturb/embedding.test.ts",
];

/**
 * The test files that import a file, directly or not: its own test first, then those that import it over the fewest files, then the
 * nearest in the folders. Paths are relative to the root.
 */
export function relatedTests(root: string, file: string): string[] {
  const tests = [...FOLDERS.flatMap((folder) => testFiles(root, folder)), ...MORE];
  const ranked = tests.flatMap((test) => {
    const steps = stepsBetween(root, test, file);
    return steps === null ? [] : [{ test, rank: [steps, distance(test, file)] }];
  });
  ranked.sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1] || a.test.localeCompare(b.test));
  return ranked.map(({ test }) => test);
}

function testFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return testFiles(root, path);
    return entry.name.endsWith(".test.ts") ? [path] : [];
  });
}

/** How many folders lie between. */
function distance(test: string, file: string): number {
  const [from, to] = [dirname(test).split("/"), dirname(file).split("/")];
  let shared = 0;
  while (shared < Math.min(from.length, to.length) && from[shared] === to[shared]) shared++;
  return from.length + to.length - 2 * shared;
}

const seen = new Map<string, readonly string[]>();

/** Over how many imports a file comes to another; 0 for its own test, null where it does not. */
function stepsBetween(root: string, from: string, to: string): number | null {
  if (from === to.replace(/\.ts$/, ".test.ts")) return 0;
  const found = new Set([from]);
  for (let here = [from], steps = 1; here.length > 0; steps++) {
    here = here
      .flatMap((file) => importsOf(root, file))
      .filter((file) => !found.has(file) && found.add(file));
    if (found.has(to)) return steps;
  }
  return null;
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
