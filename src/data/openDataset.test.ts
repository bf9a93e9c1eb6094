import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { expect, test } from "vitest";
import { openDataset } from "./openDataset.ts";

test("the bundled sample has 100 images of each class, the first one an ankle boot", async () => {
  const { name, count, shape, classes, labels, images } = await openDataset("sample");
  expect([name, count, shape, classes.length]).toEqual(["sample", 1000, [1, 32, 32], 10]);
  const counts = new Array<number>(10).fill(0);
  for (const label of labels!) counts[label]++;
  expect(counts).toEqual(new Array(10).fill(100));
  expect(classes[labels![0]]).toBe("Ankle boot");
  // Fashion-MNIST's mean pixel is 72.9 on 28 x 28; with the black frame 72.9 * (28 / 32)^2 = 55.8.
  expect(images.reduce((sum, v) => sum + v, 0) / images.length).toBeAllClose(55.8, { abs: 1.5 });
});

test("a folder's path opens that folder", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-open-"));
  writeFileSync(join(folder, "a.png"), encode({ width: 1, height: 1, channels: 1, data: Uint8Array.of(5) }));
  expect((await openDataset(folder, { size: 4, channels: 1 })).shape).toEqual([1, 4, 4]);
});

test("an unknown name is answered with the known ones, an unknown part too", async () => {
  await expect(openDataset("fashion")).rejects.toThrow(
    'there is no data set or folder "fashion"; data sets are fashion-mnist, mnist (also with :test) and sample',
  );
  await expect(openDataset("mnist:valid")).rejects.toThrow(
    'mnist has no part "valid"; write mnist, mnist:train or mnist:test',
  );
});

const system = "/usr/share/datasets/fashion-mnist";
test.skipIf(!existsSync(system))(
  "the system's Fashion-MNIST begins its test images as the sample does",
  async () => {
    const full = await openDataset("fashion-mnist:test", { path: system });
    const sample = await openDataset("sample");
    expect([full.count, full.name]).toEqual([10_000, "fashion-mnist:test"]);
    // Of the first 20 test images no class has more than 100, so they are the sample's first 20.
    expect(full.images.slice(0, 20 * 1024)).toEqual(sample.images.slice(0, 20 * 1024));
    expect(full.labels!.slice(0, 20)).toEqual(sample.labels!.slice(0, 20));
  },
);
