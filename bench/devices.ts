/**
 * How long does a forward pass of the UNet in bench/unet.json take on each device that can be used here?
 *
 *   npx tsx bench/devices.ts [batch] [rounds]
 *
 * onnxruntime-node on the CPU (and on CUDA and WebGPU where there is a graphics card), onnxruntime-web in headless Chromium
 * (its WebGPU too, unless that is software). One after the other; the median of a device's runs.
 */
import { bundle, openBrowser, serve } from "../src/testing/browser.ts";
import { findChromium } from "../src/testing/findChromium.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { openRuntime } from "../src/runtime/openRuntime.ts";
import { type WebRuntimeOptions, webRuntime } from "../src/runtime/web.ts";
import { type Timing, timeForward } from "./lib/forward.ts";

const [batch, rounds] = [Number(process.argv[2] ?? 4), Number(process.argv[3] ?? 15)];
const show = ({ name, medianMs }: Timing, where: string): void =>
  console.log(`${medianMs.toFixed(1).padStart(9)} ms  ${name} in ${where}`);

console.log(`UNet of 1.03M parameters, batch ${batch} of 32 x 32, ${rounds} rounds`);
for (const threads of [1, 2]) show(await timeForward(nodeRuntime({ threads }), batch, rounds), "Node");
{
  await using chosen = await openRuntime({ device: "auto" });
  if (chosen.device !== "cpu") show(await timeForward(chosen, batch, rounds), "Node");
}
show(await timeForward(await webRuntime(), batch, rounds), "Node");

const chromium = findChromium();
if ("missing" in chromium) console.log(chromium.missing);
else {
  const site = await serve(await bundle(new URL("lib/forward.ts", import.meta.url)));
  const browser = await openBrowser(chromium.path);
  const pages: WebRuntimeOptions[] = [{ threads: 1 }, { threads: 2 }, { device: "auto" }];
  for (const options of pages) {
    const page = await browser.newPage();
    await page.goto(site.isolated);
    const timing = await page.evaluate(
      ([options, batch, rounds]) => {
        const { timeInPage } = globalThis as unknown as {
          timeInPage: (...all: unknown[]) => Promise<Timing>;
        };
        return timeInPage(options, batch, rounds);
      },
      [options, batch, rounds] as const,
    );
    if (options.device === undefined || timing.name.startsWith("webgpu")) show(timing, "Chromium");
    await page.close();
  }
  await browser.close();
  site.close();
}
