/**
 * How fast does the tree's main network train, and how fast are 8,192 autoguided samples, beside torch in eager mode?
 *
 *   FAIRLEAD_PYTHON=/path/to/python npx tsx bench/tree.ts [rounds]
 *
 * Training: 4,096 points a step, their exact scores over 1,016 Gaussians included, Adam and the EMA. Sampling: 32 steps of
 * Heun's method, two networks (64 and 32 wide). Two cores each, one run of both in alternation.
 */
import { philox } from "../src/base/philox.ts";
import { guide } from "../src/guidance/guide.ts";
import { compose } from "../src/guidance/guidance.ts";
import { autoguidance } from "../src/guidance/weak/weakerNetwork.ts";
import { heun } from "../src/diffusion/samplers/heun.ts";
import { karras } from "../src/diffusion/sigmas.ts";
import { last } from "../src/diffusion/last.ts";
import { networkDenoiser } from "../src/networks/networkDenoiser.ts";
import { networkLayout } from "../src/networks/network.ts";
import { initialise } from "../src/networks/parameters.ts";
import { lanesRuntime } from "../src/runtime/lanes.ts";
import { adamStep } from "../src/training/adam.ts";
import { emaDecay, emaStep } from "../src/training/ema.ts";
import { parseRun, preconditioningOf } from "../src/training/modelConfig.ts";
import { makeObjective } from "../src/training/objectives/index.ts";
import { mixtureOfData } from "../src/training/objectives/exactScore.ts";
import { presets } from "../src/training/presets.ts";
import { interleave, ours, table } from "./lib/interleave.ts";
import { openTorchPeer } from "./lib/torchPeer.ts";

const THREADS = 2;
const SAMPLES = 8192;
const runtime = lanesRuntime({ lanes: THREADS });

// One training step: batch, exact scores, gradient of the gradient, Adam, projection, EMA.
const config = parseRun(presets.tree.config);
const objective = await makeObjective(runtime, config);
const parameters = objective.initialise(philox(0, 0));
const gradient = new Float32Array(parameters.length);
const moments = { m: new Float32Array(parameters.length), v: new Float32Array(parameters.length) };
const ema = parameters.slice();
const settings = { ...config.training.optimiser, decoupled: false };
let step = 0;
async function train(): Promise<void> {
  await objective.evaluate(parameters, step, gradient);
  adamStep(parameters, gradient, moments, settings, 0.01, step + 1);
  objective.project?.(parameters);
  emaStep(ema, parameters, emaDecay(config.training.ema[0], step, 4096));
  step++;
}

// 8,192 autoguided samples.
const preconditioning = preconditioningOf(config.objective)!;
const denoiserOf = (preset: string) => {
  const { network } = parseRun(presets[preset].config);
  const fresh = initialise(networkLayout(network), philox(1, 0));
  return networkDenoiser(runtime, { network, parameters: fresh, preconditioning });
};
const [main, weak] = [denoiserOf("tree"), denoiserOf("tree-weak")];
const start = mixtureOfData(config.data).sample(philox(0, 0), SAMPLES, 5);
async function sample(): Promise<void> {
  const guidance = compose([autoguidance({ weight: 3, guide: weak })]);
  const { evaluate } = guide(main, null, guidance);
  await last(heun(evaluate, start, karras({ steps: 32, min: 0.002, max: 5 })));
}

const peer = await openTorchPeer({ threads: THREADS });
await peer?.open("tree", {});
const rounds = Number(process.argv[2] ?? 5);
for (const [action, run] of Object.entries({ train, sample })) {
  const contestants = [ours(runtime.name, run)];
  if (peer) contestants.push({ name: peer.name, run: (times) => peer.run(`tree.${action}`, times) });
  console.log(table(`\nTree: ${action}`, await interleave(contestants, { rounds })));
}
await peer?.close();
await runtime.dispose();
process.exit(0);
