import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The version of this package. */
export function fairleadVersion(): string {
  return versionIn(new URL("../../package.json", import.meta.url));
}

/** What a result was made with: part of every recipe. */
export function versions(): { fairlead: string; node: string; onnxruntime: string } {
  return {
    fairlead: fairleadVersion(),
    node: process.versions.node,
    onnxruntime: versionIn(require.resolve("onnxruntime-node/package.json")),
  };
}

function versionIn(manifest: URL | string): string {
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
