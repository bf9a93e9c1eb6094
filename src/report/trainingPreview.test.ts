import { expect, test } from "vitest";
import { nodeRuntime } from "../runtime/node.ts";
import { tinyConfig, tinyParameters } from "../testing/tinyModel.ts";
import { parseRun } from "../training/modelConfig.ts";
import type { Objective } from "../training/objective.ts";
import { decodePng } from "./png.ts";
import { withPreviews } from "./trainingPreview.ts";

const objective: Objective = {
  layout: { entries: [], size: 0 },
  batchSize: 4,
  initialise: () => new Float32Array(),
  evaluate: () => Promise.resolve({ loss: 0 }),
  dispose: () => Promise.resolve(),
};
const runtime = nodeRuntime({ threads: 1 });
const training = { batchSize: 4, images: 4 };

test("a preview is a grid of four rows with a column a class, the same for the same parameters", async () => {
  const config = parseRun({ ...tinyConfig(), training });
  const { preview } = withPreviews(objective, runtime, config);
  const [one, again, other] = await Promise.all(
    [0, 0, 1].map((seed) => preview!(tinyParameters(tinyConfig(), seed), 1)),
  );
  expect(one!.name).toBe("grid.png");
  const { width, height } = decodePng(one!.bytes);
  expect([width, height]).toEqual([2 + 3 * (2 * 8 + 2), 2 + 4 * (2 * 8 + 2)]);
  expect(again!.bytes).toEqual(one!.bytes);
  expect(other!.bytes).not.toEqual(one!.bytes);
});

test("what makes no images has no preview", () => {
  const network = { kind: "density", dims: 2, layers: 1, hidden: 4 };
  const config = parseRun({ network, objective: { kind: "exact-score" }, data: { name: "eight" }, training });
  expect(withPreviews(objective, runtime, config)).toBe(objective);
});
