import { sizeOf } from "../../base/tensor.ts";
import type { ImageDataset } from "../../data/dataset.ts";
import { batchIndices } from "../../data/batchIndices.ts";
import { reduceMean, square, sub } from "../../graph/ops/index.ts";
import {
  conditionClasses,
  networkInputs,
  networkLayout,
  sampleShape,
  traceNetwork,
} from "../../networks/network.ts";
import { initialise } from "../../networks/parameters.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { type RunConfig, ddpmSigmas, preconditioningOf } from "../modelConfig.ts";
import type { Objective } from "../objective.ts";
import { compileLoss } from "./lossProgram.ts";
import { stepStream } from "./streams.ts";

/**
 * Training of a denoiser on images: the squared error of the raw prediction F.
 *
 * EDM: ln(sigma) is normal, F's target is (x0 - cSkip x) / cOut; the weight 1 / cOut^2 makes the loss of D equal to this.
 * DDPM (Algorithm 1): a timestep is uniform, F's target is the noise; the network sees x0 and noise mixed by
 * sqrt(abar) and sqrt(1 - abar), which is cIn x.
 */
export async function diffusionObjective(
  runtime: Runtime,
  config: RunConfig,
  data: ImageDataset,
): Promise<Objective> {
  const { network, objective, training } = config;
  const batch = training.batchSize;
  const classes = conditionClasses(network);
  const size = sizeOf(sampleShape(network));
  const layout = networkLayout(network);
  const { cSkip, cOut, cIn } = preconditioningOf(objective)!;
  const drawSigma = sigmaSampler(objective);

  const program = await compileLoss(runtime, layout, batch, (p, rows) => {
    const inputs = networkInputs(p.builder, network, rows);
    const target = p.builder.input("target", "float32", inputs.x.shape);
    const { prediction } = traceNetwork(p, network, inputs);
    return { loss: reduceMean(square(sub(prediction, target)), [0, 1, 2, 3]) };
  });

  const images = new Float32Array(batch * size);
  const noise = new Float32Array(batch * size);
  const x = new Float32Array(batch * size);
  const target = new Float32Array(batch * size);
  const sigmas = new Float32Array(batch);
  const labels = new BigInt64Array(batch);

  /** Fills the buffers above with the batch of a step. */
  function draw(step: number): void {
    const given = data.batch(batchIndices(training.seed, step, batch, data.count), images);
    stepStream(training.seed, step, "noise").fillNormal(noise);
    const levels = stepStream(training.seed, step, "levels");
    const condition = stepStream(training.seed, step, "condition");
    for (let row = 0; row < batch; row++) {
      const sigma = drawSigma(levels);
      const dropped = condition.uniform() < config.dropCondition || given[row] < 0;
      labels[row] = BigInt(dropped ? classes : given[row]);
      sigmas[row] = sigma;
      const [skip, out, inward] = [cSkip(sigma), cOut(sigma), cIn(sigma)];
      for (let i = row * size; i < (row + 1) * size; i++) {
        const noised = images[i] + sigma * noise[i];
        x[i] = inward * noised;
        target[i] = (images[i] - skip * noised) / out;
      }
    }
  }

  const shape = [batch, ...sampleShape(network)];
  return {
    layout,
    batchSize: batch,
    initialise: (stream) => initialise(layout, stream),
    async evaluate(parameters, step, gradient) {
      draw(step);
      const feeds = {
        x: { data: x, shape },
        target: { data: target, shape },
        noise: { data: sigmas, shape: [batch] },
        labels: { data: labels, shape: [batch] },
      };
      const { loss } = await program.run(parameters, feeds, gradient);
      return { loss };
    },
    dispose: () => program.dispose(),
  };
}

/** How an objective draws the noise level of a training sample. */
export function sigmaSampler(
  objective: RunConfig["objective"],
): (stream: ReturnType<typeof stepStream>) => number {
  switch (objective.kind) {
    case "edm":
    case "exact-score":
    case "noisy-classifier": {
      const { mean, std } = objective.logSigma;
      return (stream) => Math.exp(mean + std * stream.normal());
    }
    case "ddpm": {
      const table = ddpmSigmas(objective.betas);
      return (stream) => table[stream.integer(table.length)];
    }
    case "classifier":
      return () => 0;
  }
}
