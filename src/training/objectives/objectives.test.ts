import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import { batchIndices } from "../../data/batchIndices.ts";
import { openDataset } from "../../data/openDataset.ts";
import { alphaBars, linearBetas } from "../../diffusion/betas.ts";
import { Builder } from "../../graph/builder.ts";
import { networkInputs, networkLayout, traceNetwork } from "../../networks/network.ts";
import { constantParameters } from "../../networks/parameters.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { type RunConfig, type RunInput, parseRun } from "../modelConfig.ts";
import type { Objective } from "../objective.ts";
import { makeObjective } from "./index.ts";
import { stepStream } from "./streams.ts";

const runtime = nodeRuntime({ threads: 1 });
const unet = {
  ...{
    kind: "unet",
    size: 32,
    channels: 1,
    patch: 4,
    features: [8],
    attention: [true],
    headChannels: 8,
    groups: 4,
  },
  ...{ embedding: 16, classes: 10 },
} as unknown as RunInput["network"];
const encoder = {
  ...{
    kind: "encoder",
    size: 32,
    channels: 1,
    features: [8, 8, 8],
    groups: 4,
    embedding: 16,
    width: 8,
    classes: 10,
  },
  noiseAware: true,
} as unknown as RunInput["network"];

const runs: Record<string, RunInput> = {
  edm: {
    network: unet,
    objective: { kind: "edm" },
    data: { name: "sample" },
    dropCondition: 0.5,
    training: { batchSize: 4, images: 8 },
  },
  ddpm: {
    network: unet,
    objective: { kind: "ddpm" },
    data: { name: "sample" },
    dropCondition: 0.5,
    training: { batchSize: 4, images: 8 },
  },
  "exact-score": {
    network: { kind: "density", dims: 2, layers: 1, hidden: 8 },
    objective: { kind: "exact-score" },
    data: { name: "two", classes: [0] },
    training: { batchSize: 64, images: 128 },
  },
  "noisy-classifier": {
    network: encoder,
    objective: { kind: "noisy-classifier" },
    data: { name: "sample" },
    training: { batchSize: 4, images: 8 },
  },
  classifier: {
    network: { ...encoder, noiseAware: false } as unknown as RunInput["network"],
    objective: { kind: "classifier" },
    data: { name: "sample" },
    training: { batchSize: 4, images: 8 },
  },
  "planar classifier": {
    network: { kind: "planar-classifier", dims: 2, layers: 1, hidden: 8, classes: 2 },
    objective: { kind: "noisy-classifier" },
    data: { name: "two" },
    training: { batchSize: 64, images: 128 },
  },
};

/** Fresh parameters with noise on all of them: a fresh network's output is 0. */
function someParameters(objective: Objective): Float32Array {
  const noise = philox(9, 9);
  return objective.initialise(philox(9, 0)).map((value) => value + 0.05 * noise.normal());
}

describe.each(Object.entries(runs))("the objective %s", (_, input) => {
  const config = parseRun(input);

  test("has the gradient of its loss, by central differences along random directions", async () => {
    const objective = await makeObjective(runtime, config);
    const parameters = someParameters(objective);
    const gradient = new Float32Array(parameters.length);
    const unused = new Float32Array(parameters.length);
    await objective.evaluate(parameters, 3, gradient);
    for (const stream of [1, 2, 3]) {
      const direction = new Float32Array(parameters.length);
      philox(8, stream).fillNormal(direction);
      const norm = Math.hypot(...direction);
      const lossAt = async (h: number): Promise<number> => {
        const at = parameters.map((value, i) => value + (h * direction[i]) / norm);
        return (await objective.evaluate(at, 3, unused)).loss;
      };
      const slope = ((await lossAt(0.02)) - (await lossAt(-0.02))) / 0.04;
      const dot = gradient.reduce((sum, g, i) => sum + (g * direction[i]) / norm, 0);
      expect(dot).toBeAllClose(slope, { abs: 2e-3, rel: 0.03 });
    }
    await objective.dispose();
  });

  test("draws the same batch for the same step, another for another", async () => {
    const objective = await makeObjective(runtime, config);
    const parameters = someParameters(objective);
    const gradient = new Float32Array(parameters.length);
    const losses: number[] = [];
    for (const step of [0, 1, 0]) losses.push((await objective.evaluate(parameters, step, gradient)).loss);
    expect(losses[2]).toBe(losses[0]);
    expect(losses[1]).not.toBe(losses[0]);
    await objective.dispose();
  });
});

test("Algorithm 1 as printed: uniform t, squared error of the noise at sqrt(abar) x0 + sqrt(1 - abar) eps", async () => {
  const config = parseRun(runs.ddpm);
  const objective = await makeObjective(runtime, config);
  const parameters = someParameters(objective);
  const { loss } = await objective.evaluate(parameters, 5, new Float32Array(parameters.length));
  expect(loss).toBeAllClose(await literalLoss(config, parameters, 5), { rel: 1e-5 });
  await objective.dispose();
});

/** The loss of DDPM's Algorithm 1, written in alphas, with the objective's own random numbers. */
async function literalLoss(config: RunConfig, parameters: Float32Array, step: number): Promise<number> {
  const batch = config.training.batchSize;
  const { seed } = config.training;
  const data = await openDataset("sample");
  const x0 = new Float32Array(batch * 1024);
  const labels = data.batch(batchIndices(seed, step, batch, data.count), x0);
  const eps = new Float32Array(batch * 1024);
  stepStream(seed, step, "noise").fillNormal(eps);
  const [levels, condition] = [stepStream(seed, step, "levels"), stepStream(seed, step, "condition")];
  const abar = alphaBars(linearBetas());

  const x = new Float32Array(batch * 1024);
  const told = new Float32Array(batch);
  const classes = new BigInt64Array(batch);
  for (let row = 0; row < batch; row++) {
    const a = abar[levels.integer(1000)];
    told[row] = Math.sqrt((1 - a) / a);
    classes[row] = BigInt(condition.uniform() < config.dropCondition ? 10 : labels[row]);
    for (let i = row * 1024; i < (row + 1) * 1024; i++)
      x[i] = Math.sqrt(a) * x0[i] + Math.sqrt(1 - a) * eps[i];
  }

  const builder = new Builder();
  const p = constantParameters(builder, networkLayout(config.network), parameters);
  const graph = builder.build(traceNetwork(p, config.network, networkInputs(builder, config.network, batch)));
  const program = await runtime.compile(graph);
  const { prediction } = await program.run({
    x: { data: x, shape: [batch, 1, 32, 32] },
    noise: { data: told, shape: [batch] },
    labels: { data: classes, shape: [batch] },
  });
  await program.dispose();
  return eps.reduce((sum, e, i) => sum + (e - Number(prediction.data[i])) ** 2, 0) / eps.length;
}
