/**
 * Fairlead's public library: open a model, guide it, sample it, train one, measure.
 *
 * What stands here is enough for most programs. Each layer has the rest under its own name: fairlead/graph (ONNX graphs,
 * tracing, gradients), fairlead/runtime, fairlead/diffusion, fairlead/guidance, fairlead/networks, fairlead/data,
 * fairlead/training, fairlead/models, fairlead/metrics, fairlead/report, fairlead/compare.
 */

// Errors, tensors, random numbers.
export { FairleadError, FileError, UsageError } from "./base/errors.ts";
export type { FloatArray, Tensor } from "./base/tensor.ts";
export { axpby, axpy, concatRows, rows, tensor } from "./base/tensor.ts";
export type { Stream } from "./base/philox.ts";
export { philox, seededNoise } from "./base/philox.ts";

// Where networks run.
export { lanesRuntime } from "./runtime/lanes.ts";
export type { NodeRuntimeOptions } from "./runtime/node.ts";
export { nodeRuntime } from "./runtime/node.ts";
export type { RuntimeRequest } from "./runtime/openRuntime.ts";
export { openRuntime } from "./runtime/openRuntime.ts";
export type { Runtime } from "./runtime/runtime.ts";

// Trained models.
export { shippedModels } from "./models/bundle.ts";
export type { Model } from "./models/model.ts";
export { openModel } from "./models/model.ts";
export type { SampleOptions, Samples } from "./models/sample.ts";
export { sample, sampleAll } from "./models/sample.ts";

// Guidance.
export type { GuidanceResources } from "./guidance/resources.ts";
export { buildGuidance } from "./guidance/build.ts";
export type { Guidance, Push, Term } from "./guidance/guidance.ts";
export type { EvaluationCount, Guided } from "./guidance/guide.ts";
export { compose, unguided } from "./guidance/guidance.ts";
export { guide } from "./guidance/guide.ts";
export type { Interval } from "./guidance/interval.ts";
export { everywhere } from "./guidance/interval.ts";
export { methods } from "./guidance/methods.ts";
export type { CleanClassifier, NoiseAwareClassifier, Score } from "./guidance/resources.ts";
export { classifierGuidance } from "./guidance/push/classifier.ts";
export { cleanClassifierGuidance } from "./guidance/push/cleanClassifier.ts";
export { scoreGuidance, scoreName } from "./guidance/push/score.ts";
export { formatGuidance, parseGuidance } from "./guidance/spec.ts";
export { cfg } from "./guidance/weak/condition.ts";
export { pag } from "./guidance/weak/perturbedAttention.ts";
export { autoguidance } from "./guidance/weak/weakerNetwork.ts";

// Diffusion: noise levels, samplers, exact oracles.
export type { Branch, Denoiser, Evaluate, Labels, Prediction } from "./diffusion/denoiser.ts";
export { last } from "./diffusion/last.ts";
export { mixtureClassifier, mixtureDenoiser } from "./diffusion/oracles/classes.ts";
export { gaussian } from "./diffusion/oracles/gaussian.ts";
export type { Mixture } from "./diffusion/oracles/mixture.ts";
export { gaussianMixture, joinMixtures, moments } from "./diffusion/oracles/mixture.ts";
export { ddim } from "./diffusion/samplers/ddim.ts";
export { ddpm } from "./diffusion/samplers/ddpm.ts";
export { dpmpp2m } from "./diffusion/samplers/dpmpp2m.ts";
export { euler } from "./diffusion/samplers/euler.ts";
export { eulerAncestral } from "./diffusion/samplers/eulerAncestral.ts";
export { heun } from "./diffusion/samplers/heun.ts";
export { samplerByName, samplers } from "./diffusion/samplers/index.ts";
export type { Step } from "./diffusion/samplers/sampler.ts";
export type { PlanRequest, SchedulerPlan } from "./diffusion/schedulers/plan.ts";
export type { RawNetwork, Scheduler } from "./diffusion/schedulers/scheduler.ts";
export { schedulerFromConfig } from "./diffusion/schedulers/scheduler.ts";
export { flow as flowSigmas } from "./diffusion/flowSigmas.ts";
export type { Sigmas } from "./diffusion/sigmas.ts";
export { betaSpaced, exponential, fromBetas, karras, polyexponential, vp } from "./diffusion/sigmas.ts";

// Networks.
export type { NetworkConfig } from "./networks/network.ts";
export { networkClassifier } from "./networks/networkClassifier.ts";
export { networkDenoiser } from "./networks/networkDenoiser.ts";
export { networkEmbedding, networkScore } from "./networks/networkScore.ts";

// Data and training.
export { distributionByName } from "./data/distributions/catalogue.ts";
export { openDataset } from "./data/openDataset.ts";
export type { TrainOptions, TrainResult } from "./training/loop.ts";
export { train } from "./training/loop.ts";
export type { RunConfig, RunInput } from "./training/modelConfig.ts";
export { parseRun } from "./training/modelConfig.ts";
export { makeObjective } from "./training/objectives/index.ts";
export { presets } from "./training/presets.ts";

// Comparing methods.
export type { CompareOptions, Comparison, ModelComparison } from "./compare/index.ts";
export { compareModel, writeComparison } from "./compare/index.ts";

// Measures and pictures.
export { classAccuracy, frechetDistance, metrics2d, precisionRecall, truth2d } from "./metrics/index.ts";
export { grid } from "./report/grid.ts";
export { pictureOf } from "./report/picture.ts";
export { scatter } from "./report/plots/scatter.ts";
export type { Recipe } from "./report/png.ts";
export { readRecipe, writePng } from "./report/png.ts";
