/** Trains a small network on eight Gaussians in a few seconds, opens it, and measures its samples against the truth. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  distributionByName,
  joinMixtures,
  makeObjective,
  metrics2d,
  nodeRuntime,
  openModel,
  parseRun,
  philox,
  sampleAll,
  train,
  truth2d,
} from "fairlead";

const runtime = nodeRuntime();
const config = parseRun({
  network: { kind: "density", dims: 2, layers: 3, hidden: 32 },
  objective: { kind: "exact-score", logSigma: { mean: -1.5, std: 1.5 } },
  data: { name: "eight" },
  training: {
    batchSize: 512,
    images: 512 * 1500,
    optimiser: { learningRate: 0.01, betas: [0.9, 0.99] },
    schedule: { kind: "inverse-sqrt", referenceSteps: 300 },
    ema: [{ name: "ema", kind: "power", sigmaRel: 0.05 }],
  },
});
const out = await mkdtemp(join(tmpdir(), "fairlead-08-"));
const { training, ...model } = config;
const objective = await makeObjective(runtime, config);
await train({
  objective,
  training,
  model: JSON.parse(JSON.stringify(model)),
  out,
  onProgress: ({ step, steps, loss }) => console.log(`step ${step} of ${steps}: loss ${loss.toFixed(4)}`),
});
await objective.dispose();

const trained = await openModel(runtime, out);
const seeds = Array.from({ length: 1024 }, (_, i) => i);
const { x } = await sampleAll(trained, { seeds, sigmaMax: 10 });
await trained.dispose();
await rm(out, { recursive: true });

const truth = joinMixtures(distributionByName("eight").mixtures!);
const reference = truth2d((points) => truth.logDensity(points, 0), truth.sample(philox(1, 0), 1024));
const { recall, precision, outlierRate } = metrics2d(x, reference, { radius: 0.05 });
console.log({ recall, precision, outlierRate });
