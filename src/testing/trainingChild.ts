/**
 * One session of a tiny training, run by src/training/loop.test.ts as a process of its own to be killed: arguments are the folder and
 * the milliseconds that a step takes. Prints "step N" after every step and "finished" at the end.
 */
import { parseTraining } from "../training/config.ts";
import { train } from "../training/loop.ts";
import { noisyQuadratic } from "./noisyQuadratic.ts";

const [out, stepMs] = process.argv.slice(2);
const training = parseTraining({
  seed: 3,
  batchSize: 4,
  images: 1200,
  optimiser: { learningRate: 0.05, clip: 20 },
  schedule: { kind: "cosine", warmUpSteps: 10 },
  ema: [
    { name: "short", kind: "constant", decay: 0.9, warmUp: true },
    { name: "power", kind: "power", sigmaRel: 0.1 },
  ],
  snapshots: [400, 802],
  statsEverySteps: 7,
  checkpoint: { steps: 5 },
});
const objective = noisyQuadratic(training, 200, {
  stepMs: Number(stepMs),
  onStep: (step) => process.stdout.write(`step ${step}\n`),
});
const { finished } = await train({ objective, training, model: { network: "quadratic" }, out });
if (finished) process.stdout.write("finished\n");
