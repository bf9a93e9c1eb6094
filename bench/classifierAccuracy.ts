/**
 * How often are the shipped classifiers of Fashion-MNIST right on its 10,000 test images?
 *
 *   npx tsx bench/classifierAccuracy.ts [FOLDER]
 *
 * The clean classifier on clean images; the noise-aware one on images with noise of several standard deviations.
 */
import { join } from "node:path";
import { philox } from "../src/base/philox.ts";
import { openDataset } from "../src/data/openDataset.ts";
import { classAccuracy } from "../src/metrics/index.ts";
import { openClassifier } from "../src/models/model.ts";
import { lanesRuntime } from "../src/runtime/lanes.ts";

const folder = process.argv[2] ?? "checkpoints/fashion-mnist";
const runtime = lanesRuntime();
const data = await openDataset("fashion-mnist:test");
const pixels = new Float32Array(data.count * 1024);
const labels = data.batch(
  Array.from({ length: data.count }, (_, i) => i),
  pixels,
);
const shape = [data.count, ...data.shape];

const clean = await openClassifier(runtime, join(folder, "classifier.safetensors"));
const { logits } = await clean.classify({ data: pixels, shape });
const { value, n } = classAccuracy(logits, labels, { extractor: "fashion-mnist classifier" });
console.log(`clean classifier: ${(100 * value).toFixed(2)} % of ${n.samples} test images`);

const aware = await openClassifier(runtime, join(folder, "noisy-classifier.safetensors"));
for (const sigma of [0.1, 0.5, 1, 2, 5]) {
  const noise = new Float32Array(pixels.length);
  philox(0, 0).fillNormal(noise);
  const noised = pixels.map((pixel, i) => pixel + sigma * noise[i]);
  const said = await aware.classify({ data: noised, shape }, sigma);
  const right = classAccuracy(said.logits, labels, { extractor: "noise-aware classifier" }).value;
  console.log(`noise-aware classifier at sigma ${sigma}: ${(100 * right).toFixed(2)} %`);
}
await runtime.dispose();
process.exit(0);
