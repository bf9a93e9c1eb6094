import { UsageError } from "../../base/errors.ts";
import { distributionByName } from "../../data/distributions/catalogue.ts";
import { type Mixture, joinMixtures, scoreRows } from "../../diffusion/oracles/mixture.ts";
import { mul, reduceMean, reshape, square, sub } from "../../graph/ops/index.ts";
import { forceNormalise } from "../../networks/density.ts";
import { networkInputs, networkLayout, traceNetwork } from "../../networks/network.ts";
import { initialise } from "../../networks/parameters.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { ModelConfig, RunConfig } from "../modelConfig.ts";
import type { Objective } from "../objective.ts";
import { sigmaSampler } from "./diffusion.ts";
import { compileLoss } from "./lossProgram.ts";
import { stepStream } from "./streams.ts";

/**
 * Exact score matching on a density that is known: sigma^2 mean (s_true - s)^2 over points drawn from it with noise
 * (Karras et al. 2024, arXiv:2406.02507, appendix C). The network's score is itself a gradient, so this is second order.
 */
export async function exactScoreObjective(runtime: Runtime, config: RunConfig): Promise<Objective> {
  const { network, training } = config;
  const batch = training.batchSize;
  const truth = mixtureOfData(config.data);
  const layout = networkLayout(network);
  const drawSigma = sigmaSampler(config.objective);

  const program = await compileLoss(runtime, layout, batch, (p, rows) => {
    const inputs = networkInputs(p.builder, network, rows);
    const target = p.builder.input("target", "float32", inputs.x.shape);
    const { prediction } = traceNetwork(p, network, inputs);
    const error = mul(sub(prediction, target), reshape(inputs.noise, [rows, 1]));
    return { loss: reduceMean(square(error), [0, 1]) };
  });

  /** The points of a step, their noise levels and their exact scores. */
  function draw(step: number): Batch {
    const levels = stepStream(training.seed, step, "levels");
    const sigmas = Float32Array.from({ length: batch }, () => drawSigma(levels));
    const clean = truth.sample(stepStream(training.seed, step, "data"), batch).data;
    const x = new Float32Array(batch * truth.dimensions);
    stepStream(training.seed, step, "noise").fillNormal(x);
    for (let i = 0; i < x.length; i++) x[i] = clean[i] + sigmas[Math.floor(i / truth.dimensions)] * x[i];
    const target = new Float32Array(x.length);
    scoreRows(truth, x, sigmas, target);
    return { step, x, sigmas, target };
  }

  const shape = [batch, truth.dimensions];
  let ahead: Batch | null = null;
  return {
    layout,
    batchSize: batch,
    initialise: (stream) => initialise(layout, stream),
    project: (parameters) => forceNormalise(parameters, layout.entries),
    async evaluate(parameters, step, gradient) {
      const { x, sigmas, target } = ahead?.step === step ? ahead : draw(step);
      const feeds = {
        x: { data: x, shape },
        target: { data: target, shape },
        noise: { data: sigmas, shape: [batch] },
      };
      const running = program.run(parameters, feeds, gradient);
      // The exact scores cost as much as the network: those of the next step are computed while lanes run this one.
      if (runtime.lanes > 1) ahead = draw(step + 1);
      const { loss } = await running;
      return { loss };
    },
    dispose: () => program.dispose(),
  };
}

interface Batch {
  readonly step: number;
  readonly x: Float32Array;
  readonly sigmas: Float32Array;
  readonly target: Float32Array;
}

/** The exact density of the data a model learns. Throws UsageError for data without one. */
export function mixtureOfData({ name, classes }: ModelConfig["data"]): Mixture {
  const { mixtures, priors } = distributionByName(name);
  if (!mixtures)
    throw new UsageError(`the density of "${name}" is not known exactly; exact-score needs one that is`);
  const chosen = classes ?? mixtures.map((_, i) => i);
  const wrong = chosen.find((i) => i >= mixtures.length);
  if (wrong !== undefined)
    throw new UsageError(`"${name}" has classes 0 to ${mixtures.length - 1}, got ${wrong}`);
  if (chosen.length === 1) return mixtures[chosen[0]];
  return joinMixtures(
    chosen.map((i) => mixtures[i]),
    chosen.map((i) => priors[i]),
  );
}
