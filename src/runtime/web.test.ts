import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle, openBrowser, serve, type Site } from "../testing/browser.ts";
import { findChromium } from "../testing/findChromium.ts";
import { noises } from "../testing/noises.ts";
import type { Page, PageReport } from "../testing/suitePage.ts";
import { outcomeSuite, runtimeSuite } from "./runtime.cases.ts";
import { webRuntime } from "./web.ts";

describe("WebAssembly in Node", async () => {
  const runtime = await webRuntime();

  test("says so in the runtime's name", () => {
    expect(runtime.name).toMatch(/^wasm \(onnxruntime-web \d+\.\d+\.\d+, 1 thread\)$/);
  });
  runtimeSuite(runtime, "wasm");

  test("has one thread", async () => {
    await expect(webRuntime({ threads: 2 })).rejects.toThrow(
      "2 threads need a page that is cross-origin isolated",
    );
    await expect(webRuntime({ threads: 0 })).rejects.toThrow("threads is a whole number of 1 or more, got 0");
  });

  test("has no WebGPU, and says so", async () => {
    await expect(webRuntime({ device: "webgpu" })).rejects.toThrow(
      /^WebGPU cannot be used here \(navigator.gpu is missing\): .*, or use the device "wasm"$/,
    );
    expect((await webRuntime({ device: "auto" })).name).toMatch(
      /^wasm .*, chosen as WebGPU cannot be used here/,
    );
  });
});

const chromium = findChromium();
const reason = "missing" in chromium ? ` (skipped: ${chromium.missing})` : "";

describe.skipIf(reason !== "")(`in Chromium${reason}`, () => {
  let site: Site;
  let browser: Browser;
  beforeAll(async () => {
    const files = await bundle(new URL("../testing/suitePage.ts", import.meta.url));
    site = await serve(files);
    browser = await openBrowser((chromium as { path: string }).path);
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
  });

  /** Calls a function of suitePage.ts in a page of its own. */
  async function inPage<Name extends keyof Page>(
    kind: "isolated" | "plain",
    name: Name,
    ...values: Parameters<Page[Name]>
  ): Promise<Awaited<ReturnType<Page[Name]>>> {
    const page = await browser.newPage();
    try {
      await page.goto(site[kind]);
      return await page.evaluate(
        ([name, values]) => {
          const { fairlead } = globalThis as unknown as {
            fairlead: Record<string, (...all: unknown[]) => unknown>;
          };
          return fairlead[name](...values) as Promise<Awaited<ReturnType<Page[Name]>>>;
        },
        [name, values] as [string, unknown[]],
      );
    } finally {
      await page.close();
    }
  }

  describe.each([
    ["wasm", "plain", /^wasm \(onnxruntime-web [\d.]+, 1 thread\)$/],
    ["wasm", "isolated", /^wasm \(onnxruntime-web [\d.]+, [2-9]\d* threads\)$|^wasm .* 1 thread\)$/],
    ["webgpu", "isolated", /^webgpu \(onnxruntime-web [\d.]+, google swiftshader\)$/],
  ] as const)("%s in a page that is %s", (device, kind, name) => {
    let report: Promise<PageReport>;
    const once = () => (report ??= inPage(kind, "suite", device));

    test("says so in the runtime's name", async () => {
      expect((await once()).name).toMatch(name);
    });
    outcomeSuite(device === "wasm" ? "wasm" : "web-webgpu", async () => (await once()).outcomes);
  });

  test("auto does not take a software adapter, and says why", async () => {
    expect(await inPage("isolated", "nameOf", { device: "auto" })).toMatch(
      /^wasm \(onnxruntime-web .*\), chosen as WebGPU here is software \(google swiftshader\)$/,
    );
  });

  test("threads that a page cannot have are refused", async () => {
    expect(await inPage("plain", "nameOf", { threads: 2 })).toMatch(
      /^UsageError: 2 threads need a page that is cross-origin isolated: serve it with the headers/,
    );
  });

  test("seeds mean the same bits in a page as in Node, whoever's generator draws them", async () => {
    const [here, there] = [noises(), await inPage("plain", "noises")];
    expect(Object.keys(there)).toEqual(["philox", "torch", "numpy", "cuda", "brownian"]);
    expect(there).toEqual(here);
  });

  test("a lost device is said plainly, and a new runtime works", () => inPage("isolated", "loseDevice"));
});
