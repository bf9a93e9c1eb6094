/** Watches a sampling step by step, and stops it early: the prediction of x0 is a picture long before the end. */
import { mkdir } from "node:fs/promises";
import { grid, nodeRuntime, openModel, sample, writePng } from "fairlead";
import type { Tensor } from "fairlead";

const model = await openModel(nodeRuntime(), process.argv[2] ?? "fashion-mnist");
const stop = new AbortController();
const options = { seeds: [0, 1, 2, 3], label: "Sneaker", guidance: "cfg:2", steps: 18, signal: stop.signal };

let latest: Tensor | undefined;
try {
  for await (const { index, sigma, denoised } of sample(model, options)) {
    console.log(`step ${index}: sigma ${sigma.toFixed(3)}`);
    latest = denoised;
    if (sigma < 0.5) stop.abort(new Error("good enough"));
  }
} catch (error) {
  // The signal's reason: what was given to abort.
  console.log(`stopped: ${(error as Error).message}`);
}
await model.dispose();

await mkdir("fairlead-examples", { recursive: true });
if (latest) await writePng("fairlead-examples/02.png", grid(latest, { columns: 4, scale: 3 }));
