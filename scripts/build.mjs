/** Builds dist/ from src/: a clean tsc run, and an executable command-line entry. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, "dist", "cli", "main.js");

let tsc;
try {
  tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
} catch {
  // npm runs this also where only the runtime dependencies are wanted; failing there would undo the whole installation.
  console.error("Fairlead is not built: TypeScript is not installed. Run `npm ci` in its folder.");
  process.exit(process.env.npm_lifecycle_event === "prepare" ? 0 : 1);
}

rmSync(join(root, "dist"), { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);
if (existsSync(entry)) chmodSync(entry, 0o755);
