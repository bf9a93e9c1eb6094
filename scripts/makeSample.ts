/**
 * Makes data/fashion-mnist-sample: the first 100 test images of each class of Fashion-MNIST, in the test set's order.
 * Run: npx tsx scripts/makeSample.ts [folder with the Fashion-MNIST files]
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fashionMnist } from "../src/data/fashionMnist.ts";
import { encodeIdx, readIdx } from "../src/data/idx.ts";
import { sampleFolder } from "../src/data/sample.ts";

const PER_CLASS = 100;

const from = process.argv[2] ?? fashionMnist.systemFolder;
const images = await readIdx(join(from, "t10k-images-idx3-ubyte.gz"), 3);
const labels = await readIdx(join(from, "t10k-labels-idx1-ubyte.gz"), 1);
const [, height, width] = images.shape;

const seen = new Map<number, number>();
const chosen = Array.from(labels.data.keys()).filter((index) => {
  const label = labels.data[index];
  const before = seen.get(label) ?? 0;
  seen.set(label, before + 1);
  return before < PER_CLASS;
});

const size = height * width;
const pixels = new Uint8Array(chosen.length * size);
chosen.forEach((index, row) =>
  pixels.set(images.data.subarray(index * size, (index + 1) * size), row * size),
);

await mkdir(sampleFolder, { recursive: true });
await writeFile(
  join(sampleFolder, "images-idx3-ubyte.gz"),
  encodeIdx({ shape: [chosen.length, height, width], data: pixels }),
);
await writeFile(
  join(sampleFolder, "labels-idx1-ubyte.gz"),
  encodeIdx({ shape: [chosen.length], data: labels.data.filter((_, index) => chosen.includes(index)) }),
);
console.log(`${chosen.length} images into ${sampleFolder}`);
