import { fileURLToPath } from "node:url";
import { build, type Plugin, type Rollup } from "vite";
import { expect, test } from "vitest";

/** Bundles a module that imports these for a browser. Returns the files that went into it, and what was left outside. */
async function bundled(entries: readonly string[]): Promise<{ modules: string[]; outside: string[] }> {
  const outside = new Set<string>();
  const entry: Plugin = {
    name: "entry",
    enforce: "pre",
    resolveId(id, importer) {
      if (id === "entry") return id;
      // vite would put an empty module in place of a module of Node.
      if (/^node:/.test(id)) outside.add(`${id} from ${importer}`);
      return null;
    },
    load: (id) =>
      id === "entry"
        ? entries.map((path, i) => `export * as m${i} from ${JSON.stringify(path)};`).join("\n")
        : null,
  };
  const output = (await build({
    configFile: false,
    logLevel: "silent",
    plugins: [entry],
    build: {
      write: false,
      minify: false,
      target: "es2022",
      rollupOptions: { input: "entry", external: /^onnxruntime-web/, preserveEntrySignatures: "strict" },
    },
  })) as Rollup.RollupOutput;
  const chunks = output.output.filter((file) => file.type === "chunk");
  return { modules: chunks.flatMap(({ moduleIds }) => moduleIds), outside: [...outside] };
}

const source = (path: string) => fileURLToPath(new URL(`../src/${path}`, import.meta.url));
const portable = ["graph", "diffusion", "guidance", "networks", "metrics"].map((layer) =>
  source(`${layer}/index.ts`),
);

test("the runtime for browsers and the portable layers bundle without a module of Node", async () => {
  const { modules, outside } = await bundled([source("runtime/web.ts"), ...portable]);
  expect(outside).toEqual([]);
  expect(modules.filter((id) => id.includes("__vite-browser-external"))).toEqual([]);
  for (const entry of [source("runtime/web.ts"), ...portable]) expect(modules).toContain(entry);
  expect(modules.filter((id) => /onnxruntime-node/.test(id))).toEqual([]);
});

test("a module of Node in such a bundle is found", async () => {
  await expect(bundled([source("data/cacheFolder.ts")])).rejects.toThrow("node:path");
});
