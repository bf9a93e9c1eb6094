/**
 * How fast are a forward pass and a training step of the UNet in bench/unet.json, beside torch in eager mode?
 *
 *   FAIRLEAD_PYTHON=/path/to/python npx tsx bench/unet.ts [rounds]
 *
 * Batch 32 of 32 x 32 images, two threads each, one run of both in alternation. A training step is the loss, every
 * gradient and the update by AdamW; both sides start from random parameters and train on the same batch again and again.
 */
import { readFileSync } from "node:fs";
import { philox } from "../src/base/philox.ts";
import { sizeOf } from "../src/base/tensor.ts";
import { Builder } from "../src/graph/builder.ts";
import { gradients } from "../src/graph/gradients.ts";
import { square, sub } from "../src/graph/ops/elementwise.ts";
import { reduceMean } from "../src/graph/ops/reduce.ts";
import { concat, reshape } from "../src/graph/ops/reshape.ts";
import { constantParameters, flatParameters, initialise, layoutOf } from "../src/networks/parameters.ts";
import type { UnetConfig, UnetInputs } from "../src/networks/unet.ts";
import { unet } from "../src/networks/unet.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { adamStep } from "../src/training/adam.ts";
import { interleave, ours, table } from "./lib/interleave.ts";
import { openTorchPeer } from "./lib/torchPeer.ts";

const BATCH = 32;
const THREADS = 2;
const ADAMW = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01, decoupled: true } as const;

const config = JSON.parse(readFileSync(new URL("unet.json", import.meta.url), "utf8")) as UnetConfig;
const image = [BATCH, config.channels, config.size, config.size];
const inputs = (builder: Builder): UnetInputs => ({
  x: builder.input("x", "float32", image),
  noise: builder.input("noise", "float32", [BATCH]),
  labels: builder.input("labels", "int64", [BATCH]),
});
const layout = layoutOf((p) => unet(p, config, inputs(p.builder)));
const parameters = initialise(layout, philox(0, 0));

function forwardGraph() {
  const builder = new Builder();
  return builder.build({
    out: unet(constantParameters(builder, layout, parameters), config, inputs(builder)),
  });
}

function trainingGraph() {
  const builder = new Builder();
  const { source, values } = flatParameters(builder, layout);
  const out = unet(source, config, inputs(builder));
  const error = square(sub(out, builder.input("target", "float32", image)));
  const loss = reduceMean(error, [0, 1, 2, 3]);
  const flat = gradients(loss, values).map((gradient) => reshape(gradient, [-1]));
  return builder.build({ loss, gradient: concat(flat, 0) });
}

function normal(shape: readonly number[], stream: number) {
  const data = new Float32Array(sizeOf(shape));
  philox(0, stream).fillNormal(data);
  return { data, shape };
}

const feeds = {
  x: normal(image, 1),
  target: normal(image, 2),
  noise: {
    data: Float32Array.from({ length: BATCH }, (_, i) => -1.5 + (2.5 * i) / (BATCH - 1)),
    shape: [BATCH],
  },
  labels: {
    data: BigInt64Array.from({ length: BATCH }, (_, i) => BigInt(i % (config.classes + 1))),
    shape: [BATCH],
  },
};

const runtime = nodeRuntime({ threads: THREADS });
const forward = await runtime.compile(forwardGraph());
const training = await runtime.compile(trainingGraph());

const predicted = { data: new Float32Array(sizeOf(image)), shape: image };
const fetches = {
  loss: { data: new Float32Array(1), shape: [] },
  gradient: { data: new Float32Array(layout.size), shape: [layout.size] },
};
const moments = { m: new Float32Array(layout.size), v: new Float32Array(layout.size) };
const trained = parameters.slice();
let step = 0;
async function trainStep(): Promise<void> {
  await training.run({ ...feeds, parameters: { data: trained, shape: [layout.size] } }, fetches);
  adamStep(trained, fetches.gradient.data, moments, ADAMW, 1e-4, ++step);
}

const peer = await openTorchPeer({ threads: THREADS });
const rounds = Number(process.argv[2] ?? 7);
console.log(`${layout.size} parameters here, ${peer ? await peer.open("unet", config) : "none"} in the peer`);
const work = {
  forward: () => forward.run(feeds, { out: predicted }),
  train: trainStep,
};
for (const [action, run] of Object.entries(work)) {
  const contestants = [ours(runtime.name, run)];
  if (peer) contestants.push({ name: peer.name, run: (times) => peer.run(`unet.${action}`, times) });
  console.log(table(`\nUNet, batch ${BATCH}: ${action}`, await interleave(contestants, { rounds })));
}
await peer?.close();
await forward.dispose();
await training.dispose();
