/** Runs every program in examples/ in order, or those whose names contain an argument: `npm run examples -- 03`. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const wanted = process.argv.slice(2);
const names = readdirSync(new URL("../examples", import.meta.url))
  .filter((name) => name.endsWith(".ts"))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort();

const failed: string[] = [];
for (const name of names) {
  console.log(`\n--- examples/${name}`);
  const start = performance.now();
  const { status } = spawnSync(process.execPath, ["--import", "tsx", `examples/${name}`], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) failed.push(name);
  console.log(
    `--- ${status === 0 ? "done" : "FAILED"} in ${((performance.now() - start) / 1000).toFixed(1)} s`,
  );
}
console.log(`\n${names.length - failed.length} of ${names.length} examples ran.`);
if (failed.length > 0) {
  console.error(`Failed: ${failed.join(", ")}.`);
  process.exit(1);
}
