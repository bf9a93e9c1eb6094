import { afterAll, describe, expect, test } from "vitest";
import { philox, seededNoise } from "../base/philox.ts";
import type { Tensor } from "../base/tensor.ts";
import { edm } from "../diffusion/preconditioning.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { networkLayout } from "./network.ts";
import { type NetworkClassifierOptions, networkClassifier } from "./networkClassifier.ts";
import { initialise } from "./parameters.ts";

type Network = NetworkClassifierOptions["network"];

const networks: Record<string, { network: Network; shape: number[] }> = {
  encoder: {
    network: {
      ...{ kind: "encoder", size: 8, channels: 1, features: [8, 8], blocks: 1, groups: 4, embedding: 16 },
      ...{ headChannels: 8, width: 12, classes: 3, noiseAware: true },
    },
    shape: [1, 8, 8],
  },
  "planar-classifier": {
    network: { kind: "planar-classifier", dims: 2, layers: 2, hidden: 16, classes: 3 },
    shape: [2],
  },
};

const sigma = 0.6;

describe.each(Object.entries(networks))("a noise-aware classifier (%s)", (_, { network, shape }) => {
  const layout = networkLayout(network);
  const noise = philox(0, 1);
  const parameters = initialise(layout, philox(0, 0)).map((value) => value + 0.2 * noise.normal());
  const classifier = networkClassifier(nodeRuntime({ threads: 1 }), {
    network,
    parameters,
    cIn: edm().cIn,
    maxRows: 2,
  });
  afterAll(() => classifier.dispose());
  const x = seededNoise([1, 2, 3], 0, [3, ...shape], "float64");
  const labels = [2, -1, 0];

  test("its gradient is that of its log probability, by central differences; 0 without a label", async () => {
    const gradient = await classifier.logProbabilityGradient(x, sigma, labels);
    const direction = seededNoise([4, 5, 6], 0, [3, ...shape], "float64");
    const size = x.data.length / 3;
    for (const [row, label] of labels.entries()) {
      const along = (h: number): Promise<number> =>
        logProbability(moved(x, direction, h), row, Math.max(label, 0));
      const slope = label < 0 ? 0 : ((await along(1e-2)) - (await along(-1e-2))) / 2e-2;
      let dot = 0;
      for (let i = row * size; i < (row + 1) * size; i++) dot += gradient.data[i] * direction.data[i];
      expect(dot).toBeAllClose(slope, { abs: 2e-3, rel: 5e-3 });
    }
  });

  test("cIn scales what it sees and its gradient", async () => {
    const { cIn } = edm();
    const plain = networkClassifier(nodeRuntime({ threads: 1 }), { network, parameters, cIn: () => 1 });
    const scaled = { data: x.data.map((value) => cIn(sigma) * value), shape: x.shape };
    const inner = await plain.logProbabilityGradient(scaled, sigma, labels);
    const outer = await classifier.logProbabilityGradient(x, sigma, labels);
    expect(outer).toBeAllClose(
      inner.data.map((value) => cIn(sigma) * value),
      { abs: 1e-6 },
    );
    await plain.dispose();
  });

  async function logProbability(at: Tensor, row: number, label: number): Promise<number> {
    const { logits } = await classifier.classify(at, sigma);
    const mine = Array.from(logits.data.subarray(row * 3, row * 3 + 3));
    return mine[label] - Math.log(mine.reduce((sum, value) => sum + Math.exp(value), 0));
  }
});

function moved(x: Tensor, direction: Tensor, h: number): Tensor {
  return { data: x.data.map((value, i) => value + h * direction.data[i]), shape: x.shape };
}
