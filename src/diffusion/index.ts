/** The mathematics of diffusion: noise levels, parameterisations, samplers and exact oracles. */
export type {
  BetasSpec,
  CosineBetas,
  GivenBetas,
  LaplaceBetas,
  LinearBetas,
  ScaledLinearBetas,
  SigmoidBetas,
} from "./betas.ts";
export {
  NOISE_ALONE,
  abarSigma,
  alphaBars,
  betas,
  cosineBetas,
  givenBetas,
  laplaceBetas,
  linearBetas,
  rescaleZeroSnr,
  scaledLinearBetas,
  sigmaOfTimestep,
  sigmoidBetas,
  timestepOfSigma,
  timestepSigmas,
} from "./betas.ts";
export type { Branch, Denoiser, Evaluate, Labels, Prediction, Pullback } from "./denoiser.ts";
export { sameBranch } from "./denoiser.ts";
export type { EmbeddingNoise } from "./embeddingNoise.ts";
export { noisyEmbedding } from "./embeddingNoise.ts";
export { brownianNoise } from "./brownian.ts";
export type { FlowRange } from "./flowSigmas.ts";
export { dynamicShift, flow as flowSigmas, flowSigma, shiftForTokens, shiftTime } from "./flowSigmas.ts";
export { last } from "./last.ts";
export type { Curvature } from "./likelihood/jacobian.ts";
export { differences, pulledBack } from "./likelihood/jacobian.ts";
export type { Likelihood, LikelihoodOptions } from "./likelihood/likelihood.ts";
export { logLikelihood } from "./likelihood/likelihood.ts";
export type { GeneratorName, NoiseSource } from "./noise.ts";
export { noiseSource } from "./noise.ts";
export type { MixtureClassifier } from "./oracles/classes.ts";
export { mixtureClassifier, mixtureDenoiser } from "./oracles/classes.ts";
export type { Component, Covariance, GaussianSpec } from "./oracles/component.ts";
export type { Gaussian } from "./oracles/gaussian.ts";
export { gaussian } from "./oracles/gaussian.ts";
export type { Mixture, MixtureSpec } from "./oracles/mixture.ts";
export { gaussianMixture, joinMixtures, moments } from "./oracles/mixture.ts";
export type { Level, Parameterisation } from "./parameterisation.ts";
export {
  convert,
  fromX0,
  rescaleLevel,
  straightPath,
  toX0,
  varianceExploding,
  variancePreserving,
} from "./parameterisation.ts";
export type { Preconditioning, PreconditioningSpec } from "./preconditioning.ts";
export { edm, eps, flow, preconditioning, score, v, x0 } from "./preconditioning.ts";
export { ddim } from "./samplers/ddim.ts";
export { ddpm } from "./samplers/ddpm.ts";
export { deis } from "./samplers/deis.ts";
export { dpm2 } from "./samplers/dpm2.ts";
export { dpm2Ancestral } from "./samplers/dpm2Ancestral.ts";
export { dpmAdaptive } from "./samplers/dpmAdaptive.ts";
export { dpmFast } from "./samplers/dpmFast.ts";
export { dpmMultistep } from "./samplers/dpmMultistep.ts";
export { dpmSinglestep } from "./samplers/dpmSinglestep.ts";
export type { DpmAlgorithm, DpmSolverType } from "./samplers/dpmUpdate.ts";
export { dpmpp2m } from "./samplers/dpmpp2m.ts";
export { dpmpp2mSde } from "./samplers/dpmpp2mSde.ts";
export { dpmpp2sAncestral } from "./samplers/dpmpp2sAncestral.ts";
export { dpmpp3mSde } from "./samplers/dpmpp3mSde.ts";
export { dpmppSde } from "./samplers/dpmppSde.ts";
export { euler } from "./samplers/euler.ts";
export { eulerAncestral } from "./samplers/eulerAncestral.ts";
export { flowHeun } from "./samplers/flowHeun.ts";
export { heun } from "./samplers/heun.ts";
export { ipndm } from "./samplers/ipndm.ts";
export { lcm } from "./samplers/lcm.ts";
export { lms } from "./samplers/lms.ts";
export { pndm } from "./samplers/pndm.ts";
export { tcd } from "./samplers/tcd.ts";
export type { TimestepOptions, Timesteps } from "./samplers/timesteps.ts";
export { resMultistep, resMultistepAncestral } from "./samplers/resMultistep.ts";
export { uniPc } from "./samplers/uniPc.ts";
export type { Sampler, SamplerName, SamplerOption } from "./samplers/index.ts";
export { samplerByName, samplers } from "./samplers/index.ts";
export type { Noise, NoiseSpan, Sample, SamplerOptions, Step } from "./samplers/sampler.ts";
export type { Schedule, ScheduleRange } from "./schedules.ts";
export { parseSchedule, scheduledSigmas, schedules } from "./schedules.ts";
export type { ConfigOf, SchedulerClass, SchedulerConfig } from "./schedulers/config.ts";
export { schedulerClasses } from "./schedulers/config.ts";
export type { Call, PlanRequest, SchedulerPlan } from "./schedulers/plan.ts";
export type { Limiting, Scaling } from "./schedulers/prediction.ts";
export type { RawNetwork, Scheduler } from "./schedulers/scheduler.ts";
export { schedulerFromConfig } from "./schedulers/scheduler.ts";
export type { SigmaRange, Sigmas, Spacing, VpRange } from "./sigmas.ts";
export { betaSpaced, exponential, fromBetas, karras, polyexponential, vp } from "./sigmas.ts";
export { dynamicThreshold } from "./threshold.ts";
export type { Visit } from "./visits.ts";
export { visitsOf } from "./visits.ts";
