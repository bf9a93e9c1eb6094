/**
 * Models that exporters wrote, as scores: the image encoders of the pipeline fixtures (the TorchScript exporter's and dynamo's, with open
 * sizes), whose output is compared with another image's. Without ../shared/fixtures they are skipped.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { seededNoise } from "../src/base/philox.ts";
import { axpby, rows } from "../src/base/tensor.ts";
import { openOnnxFile } from "../src/files/onnxFile.ts";
import { networkEmbedding, networkScore } from "../src/networks/networkScore.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { rowDots } from "../src/testing/rowDots.ts";

const folder = fileURLToPath(new URL("../../shared/fixtures/pipelines/", import.meta.url));
const runtime = nodeRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const shape = [3, 16, 16];
const seeds = [1, 2, 3];
const x = seededNoise(seeds, 0, [3, ...shape]);
const along = seededNoise(seeds, 1, [3, ...shape]);

for (const name of ["sd15-tiny", "sd21-v-tiny", "dit-tiny"]) {
  const path = `${folder}${name}/vae_encoder/model.onnx`;
  const reason = existsSync(path) ? "" : `: ${path} is not here`;

  test.skipIf(reason)(`likeness by the encoder of ${name} has its slope as gradient${reason}`, async () => {
    const graph = await openOnnxFile(path);
    const other = seededNoise([9], 0, [1, ...shape]);
    const { data: target } = await networkEmbedding(runtime, graph, other, { shape });
    const score = networkScore(runtime, graph, { shape, target });
    expect(await score.values(other)).toBeAllClose([1], { abs: 1e-5 });

    const gradient = await score.gradient(x);
    const difference = async (h: number): Promise<number[]> => {
      const [up, down] = [
        await score.values(axpby(1, x, h, along)),
        await score.values(axpby(1, x, -h, along)),
      ];
      return Array.from(up.data, (value, row) => (value - down.data[row]) / (2 * h));
    };
    const [near, far] = [await difference(1e-2), await difference(2e-2)];
    const slopes = near.map((value, row) => (4 * value - far[row]) / 3);
    expect(rowDots(gradient, along)).toBeAllClose(slopes, { abs: 1e-3, rel: 2e-3 });

    const alone = await score.gradient(rows(x, 1, 2));
    expect(alone).toBeAllClose(rows(gradient, 1, 2), { abs: 1e-5 });
  });
}
