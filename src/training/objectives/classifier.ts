import { sizeOf } from "../../base/tensor.ts";
import { batchIndices } from "../../data/batchIndices.ts";
import type { ImageDataset } from "../../data/dataset.ts";
import { distributionByName } from "../../data/distributions/catalogue.ts";
import { edm } from "../../diffusion/preconditioning.ts";
import {
  cast,
  equal,
  logSoftmax,
  mul,
  neg,
  oneHot,
  reduceMax,
  reduceMean,
  reduceSum,
} from "../../graph/ops/index.ts";
import { networkInputs, networkLayout, sampleShape, traceNetwork } from "../../networks/network.ts";
import { initialise } from "../../networks/parameters.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { RunConfig } from "../modelConfig.ts";
import type { Objective } from "../objective.ts";
import { sigmaSampler } from "./diffusion.ts";
import { compileLoss } from "./lossProgram.ts";
import { stepStream } from "./streams.ts";

/** Writes the clean samples of a step, one after the other, and returns their labels. */
type Draw = (step: number, out: Float32Array) => readonly number[];

/**
 * Training of a classifier: mean cross-entropy. A noise-aware one sees cIn (x0 + sigma noise), ln(sigma) normal
 * (Dhariwal & Nichol 2021, arXiv:2105.05233, section 4.2); a clean one sees x0, shifted by a few pixels.
 */
export async function classifierObjective(
  runtime: Runtime,
  config: RunConfig,
  images: ImageDataset | null,
): Promise<Objective> {
  const { network, objective, training } = config;
  const batch = training.batchSize;
  const size = sizeOf(sampleShape(network));
  const layout = networkLayout(network);
  const draw = images ? imageDraw(config, images) : pointDraw(config);
  const { cIn } = edm({ sigmaData: objective.kind === "noisy-classifier" ? objective.sigmaData : 0.5 });
  const drawSigma = sigmaSampler(objective);

  const program = await compileLoss(runtime, layout, batch, (p, rows) => {
    const inputs = networkInputs(p.builder, network, rows);
    const { logits } = traceNetwork(p, network, inputs);
    const chosen = oneHot(inputs.labels, logits.shape[1]);
    const loss = neg(reduceMean(reduceSum(mul(logSoftmax(logits), chosen), [1]), [0]));
    const best = cast(equal(logits, reduceMax(logits, [1], { keep: true })), "float32");
    return { loss, accuracy: reduceMean(reduceSum(mul(best, chosen), [1]), [0]) };
  });

  const x = new Float32Array(batch * size);
  const noise = new Float32Array(batch * size);
  const sigmas = new Float32Array(batch).fill(1);
  const labels = new BigInt64Array(batch);
  return {
    layout,
    batchSize: batch,
    initialise: (stream) => initialise(layout, stream),
    async evaluate(parameters, step, gradient) {
      draw(step, x).forEach((label, row) => (labels[row] = BigInt(label)));
      if (objective.kind === "noisy-classifier") {
        stepStream(training.seed, step, "noise").fillNormal(noise);
        const levels = stepStream(training.seed, step, "levels");
        for (let row = 0; row < batch; row++) {
          const sigma = drawSigma(levels);
          const inward = cIn(sigma);
          sigmas[row] = sigma;
          for (let i = row * size; i < (row + 1) * size; i++) x[i] = inward * (x[i] + sigma * noise[i]);
        }
      }
      const feeds = {
        x: { data: x, shape: [batch, ...sampleShape(network)] },
        noise: { data: sigmas, shape: [batch] },
        labels: { data: labels, shape: [batch] },
      };
      const { loss, accuracy } = await program.run(parameters, feeds, gradient);
      return { loss, metrics: { accuracy } };
    },
    dispose: () => program.dispose(),
  };
}

function imageDraw({ training, objective }: RunConfig, data: ImageDataset): Draw {
  const shift = objective.kind === "classifier" ? objective.shift : 0;
  const [channels, height, width] = data.shape;
  return (step, out) => {
    const labels = data.batch(batchIndices(training.seed, step, training.batchSize, data.count), out);
    if (shift > 0) {
      const stream = stepStream(training.seed, step, "shift");
      const size = channels * height * width;
      labels.forEach((_, row) => {
        const image = out.subarray(row * size, (row + 1) * size);
        const [dy, dx] = [stream.integer(2 * shift + 1) - shift, stream.integer(2 * shift + 1) - shift];
        moveImage(image, [channels, height, width], dy, dx);
      });
    }
    return labels;
  };
}

/** Moves a picture down and right in place; what comes in is black (-1). */
function moveImage(
  image: Float32Array,
  [channels, height, width]: readonly number[],
  dy: number,
  dx: number,
): void {
  const source = image.slice();
  image.fill(-1);
  for (let c = 0; c < channels; c++) {
    for (let y = Math.max(0, dy); y < Math.min(height, height + dy); y++) {
      for (let x = Math.max(0, dx); x < Math.min(width, width + dx); x++) {
        image[(c * height + y) * width + x] = source[(c * height + y - dy) * width + x - dx];
      }
    }
  }
}

function pointDraw({ training, data }: RunConfig): Draw {
  const distribution = distributionByName(data.name);
  return (step, out) => {
    const { x, labels } = distribution.sample(stepStream(training.seed, step, "data"), training.batchSize);
    out.set(x.data);
    return labels;
  };
}
