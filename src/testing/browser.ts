/** Pages in headless Chromium, for tests: bundled by vite as a user's page would be, and served from memory. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { chromium, type Browser } from "playwright-core";
import { build, type Plugin, type Rollup } from "vite";

/** Everything that one script of a page needs, by file name. */
export async function bundle(entry: URL, plugins: Plugin[] = []): Promise<Map<string, string | Uint8Array>> {
  const output = (await build({
    configFile: false,
    base: "./",
    logLevel: "silent",
    plugins,
    build: {
      write: false,
      target: "es2022",
      minify: false,
      modulePreload: false,
      assetsInlineLimit: 0,
      rollupOptions: { input: fileURLToPath(entry), output: { entryFileNames: "page.js" } },
    },
  })) as Rollup.RollupOutput;
  return new Map(
    output.output.map((file) => [file.fileName, file.type === "chunk" ? file.code : file.source]),
  );
}

export interface Site {
  /** Cross-origin isolated, so that WebAssembly may have threads. */
  readonly isolated: string;
  readonly plain: string;
  close(): void;
}

/** Serves the files at two addresses: one with the headers that isolate a page, one without. */
export async function serve(files: ReadonlyMap<string, string | Uint8Array>): Promise<Site> {
  const server = createServer((request, response) => {
    const [, folder, ...name] = (request.url ?? "/").split("/");
    if (folder === "isolated") {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    const path = name.join("/");
    const file =
      path === "" ? '<!doctype html><script type="module" src="page.js"></script>' : files.get(path);
    response.setHeader("Content-Type", typeOf(path));
    response.statusCode = file === undefined ? 404 : 200;
    response.end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const root = `http://localhost:${(server.address() as AddressInfo).port}`;
  return { isolated: `${root}/isolated/`, plain: `${root}/plain/`, close: () => void server.close() };
}

function typeOf(path: string): string {
  if (path.endsWith("js")) return "text/javascript";
  return path.endsWith(".wasm") ? "application/wasm" : "text/html";
}

/** Chromium with WebGPU on SwiftShader, which needs no graphics card. */
export function openBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
  });
}
