/** Checks what `npm run build` made: every entry of `exports` imports by name, and every command starts. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
for (const [subpath, target] of Object.entries(manifest.exports)) {
  if (typeof target === "string") continue;
  const name = subpath.replace(/^\./, manifest.name);
  if (!existsSync(target.types)) throw new Error(`${name} has no types: ${target.types} does not exist.`);
  const exported = Object.keys(await import(name));
  if (exported.length === 0) throw new Error(`${name} exports nothing.`);
  console.log(`${name}: ${exported.length} exports`);
}
for (const [command, path] of Object.entries(manifest.bin)) {
  const { status, stdout } = spawnSync(`./${path}`, ["--help"], { encoding: "utf8" });
  if (status !== 0 || stdout === "") throw new Error(`./${path} --help failed with status ${status}.`);
  console.log(`${command}: starts`);
}
