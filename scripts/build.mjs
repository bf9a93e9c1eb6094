/** Builds dist/ from src/: a clean tsc run, and an executable command-line entry. */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, "dist", "cli", "main.js");

/** The path of the TypeScript compiler; null where the dependencies are not installed. */
function compiler() {
  try {
    return createRequire(import.meta.url).resolve("typescript/bin/tsc");
  } catch {
    return null;
  }
}

/**
 * An entry that says what to do. npm links the command where it first finds it: `npx fairlead` typed before `npm ci`
 * would otherwise find nothing, then and later.
 */
function writePlaceholder() {
  mkdirSync(dirname(entry), { recursive: true });
  const message = "Fairlead is not built yet. Run `npm ci` in its folder, then the same command again.";
  writeFileSync(entry, `#!/usr/bin/env node\nconsole.error(${JSON.stringify(message)});\nprocess.exit(1);\n`);
}

const tsc = compiler();
if (tsc !== null) {
  rmSync(join(root, "dist"), { recursive: true, force: true });
  const options = { cwd: root, stdio: "inherit" };
  const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], options);
  if (status !== 0) process.exit(status ?? 1);
  // What a worker thread starts from is plain JavaScript, which tsc leaves behind.
  copyFileSync(join(root, "src/runtime/lane.mjs"), join(root, "dist/runtime/lane.mjs"));
} else if (!existsSync(entry)) {
  writePlaceholder();
}
if (existsSync(entry)) chmodSync(entry, 0o755);
