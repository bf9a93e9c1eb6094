/**
 * How fast are a forward pass and a training step of the UNet in bench/unet.json, beside torch in eager mode, and beside what
 * ONNX Runtime's matrix product would take for as many operations? And where does the time go?
 *
 *   FAIRLEAD_PYTHON=/path/to/python npx tsx bench/unet.ts [rounds] [forward|train]
 *
 * Batch 32 of 32 x 32 images, two cores each, one run of all in alternation. A training step is the loss, every gradient
 * and the update by AdamW; both sides start from random parameters and train on the same batch again and again.
 * "lanes" is what `fairlead` does: two pieces of the batch on one core each; "threads" is ONNX Runtime with two threads.
 * The ratios are to torch with its default layout; channels-last is torch's faster one.
 */
import { readFileSync } from "node:fs";
import { philox } from "../src/base/philox.ts";
import { sizeOf } from "../src/base/tensor.ts";
import { Builder } from "../src/graph/builder.ts";
import { square, sub } from "../src/graph/ops/elementwise.ts";
import { reduceMean } from "../src/graph/ops/reduce.ts";
import { constantParameters, initialise, layoutOf } from "../src/networks/parameters.ts";
import type { UnetConfig, UnetInputs } from "../src/networks/unet.ts";
import { unet } from "../src/networks/unet.ts";
import { lanesRuntime } from "../src/runtime/lanes.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { adamStep } from "../src/training/adam.ts";
import { type LossProgram, compileLoss } from "../src/training/objectives/lossProgram.ts";
import { breakdown, floor, matmulWork } from "./lib/breakdown.ts";
import { interleave, ours, table } from "./lib/interleave.ts";
import { openTorchPeer } from "./lib/torchPeer.ts";

const BATCH = 32;
const THREADS = 2;
const ADAMW = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01, decoupled: true } as const;

const config = JSON.parse(readFileSync(new URL("unet.json", import.meta.url), "utf8")) as UnetConfig;
const image = [BATCH, config.channels, config.size, config.size];
const inputs = (builder: Builder, rows = BATCH): UnetInputs => ({
  x: builder.input("x", "float32", [rows, ...image.slice(1)]),
  noise: builder.input("noise", "float32", [rows]),
  labels: builder.input("labels", "int64", [rows]),
});
const layout = layoutOf((p) => unet(p, config, inputs(p.builder)));
const parameters = initialise(layout, philox(0, 0));

function forwardGraph(rows: number) {
  const builder = new Builder();
  return builder.build({
    out: unet(constantParameters(builder, layout, parameters), config, inputs(builder, rows)),
  });
}

/** The loss as `fairlead train` compiles it. */
const lossOn = (runtime: Runtime) =>
  compileLoss(runtime, layout, BATCH, (p, rows) => {
    const out = unet(p, config, inputs(p.builder, rows));
    const target = p.builder.input("target", "float32", [rows, ...image.slice(1)]);
    return { loss: reduceMean(square(sub(out, target)), [0, 1, 2, 3]) };
  });

function normal(shape: readonly number[], stream: number) {
  const data = new Float32Array(sizeOf(shape));
  philox(0, stream).fillNormal(data);
  return { data, shape };
}

const feeds = {
  x: normal(image, 1),
  target: normal(image, 2),
  noise: {
    data: Float32Array.from({ length: BATCH }, (_, i) => 0.01 * 1.3 ** i),
    shape: [BATCH],
  },
  labels: {
    data: BigInt64Array.from({ length: BATCH }, (_, i) => BigInt(i % (config.classes + 1))),
    shape: [BATCH],
  },
};

const [threads, lanes] = [nodeRuntime({ threads: THREADS }), lanesRuntime({ lanes: THREADS })];
const wholeBatch = await threads.compile(forwardGraph(BATCH));
const halfBatch = await lanes.compile(forwardGraph(BATCH / 2));
const half = (i: number) =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { data, shape }]) => {
      const size = data.length / BATCH;
      const part = data.subarray((i * BATCH * size) / 2, ((i + 1) * BATCH * size) / 2);
      return [name, { data: part, shape: [BATCH / 2, ...shape.slice(1)] }];
    }),
  );
const losses = { threads: await lossOn(threads), lanes: await lossOn(lanes) };

/** Training steps on one runtime, from the same start. */
function trainer(loss: LossProgram): () => Promise<void> {
  const moments = { m: new Float32Array(layout.size), v: new Float32Array(layout.size) };
  const gradient = new Float32Array(layout.size);
  const trained = parameters.slice();
  let step = 0;
  return async () => {
    await loss.run(trained, feeds, gradient);
    adamStep(trained, gradient, moments, ADAMW, 1e-4, ++step);
  };
}

const peer = await openTorchPeer({ threads: THREADS });
const rounds = Number(process.argv[2] ?? 7);
const eager = peer ? await peer.open("unet", config) : 0;
await peer?.open("unet-channels-last", config);
console.log(`${layout.size} parameters here, ${peer ? eager : "none"} in the peer`);

/** One piece of the batch, as a lane runs it: the graph and what it is fed. */
const piece = {
  forward: { graph: forwardGraph(BATCH / 2), feeds: half(0) },
  train: {
    graph: losses.lanes.graph,
    feeds: { ...half(0), parameters: { data: parameters, shape: [layout.size] } },
  },
};
const work = {
  forward: {
    threads: () => wholeBatch.run(feeds),
    lanes: () => Promise.all([halfBatch.run(half(0)), halfBatch.run(half(1))]),
  },
  train: { threads: trainer(losses.threads), lanes: trainer(losses.lanes) },
};
const product = await matmulWork(THREADS);
const asked = process.argv[3];
for (const action of ["forward", "train"] as const) {
  if (asked !== undefined && asked !== action) continue;
  const runs = work[action];
  const contestants = [
    ours("MatMul of 1,024 x 1,024", product),
    ours("fairlead, lanes", runs.lanes),
    ours("fairlead, threads", runs.threads),
  ];
  if (peer) {
    const torch = (workload: string) => (times: number) => peer.run(`${workload}.${action}`, times);
    contestants.push({ name: "torch, channels-last", run: torch("unet-channels-last") });
    contestants.push({ name: peer.name, run: torch("unet") });
  }
  const results = await interleave(contestants, { rounds });
  console.log(table(`\nUNet, batch ${BATCH}: ${action}`, results.slice(1)));
  const { graph, feeds: fed } = piece[action];
  console.log(floor(graph, 2, results[0].median, results.slice(1, 3)));
  console.log(await breakdown(graph, fed));
}
await peer?.close();
await lanes.dispose();
process.exit(0);
