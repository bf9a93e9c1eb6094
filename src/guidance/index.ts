/** Guidance: how worse predictions are made, how predictions meet, and the text that asks for it. */
export { buildGuidance } from "./build.ts";
export type { ExplainOptions } from "./explain.ts";
export { explainGuidance } from "./explain.ts";
export type { BranchExplanation, Explanation, MethodExplanation, RangeExplanation } from "./explanation.ts";
export type { CadsOptions } from "./change/conditionAnnealing.ts";
export { cads } from "./change/conditionAnnealing.ts";
export type { WeightedWeak } from "./combine/extrapolate.ts";
export { extrapolate } from "./combine/extrapolate.ts";
export { classConditions, noiseInNetwork, noiseOnTensor } from "./conditions.ts";
export type {
  Adjust,
  Base,
  Change,
  Combine,
  Compared,
  ComposeOptions,
  Guidance,
  Moment,
  Pair,
  Part,
  Push,
  PushMoment,
  Term,
  WithState,
} from "./guidance.ts";
export { compose, unguided } from "./guidance.ts";
export type { EvaluationCount, Guided, GuideOptions } from "./guide.ts";
export { guide } from "./guide.ts";
export type { Interval } from "./interval.ts";
export { everywhere, inInterval } from "./interval.ts";
export type { Method, MethodOption } from "./method.ts";
export type { MethodSpec } from "./methods.ts";
export { methodNamed, methods } from "./methods.ts";
export type { ClassifierGuidanceOptions } from "./push/classifier.ts";
export { classifierGuidance } from "./push/classifier.ts";
export { cleanClassifierGuidance } from "./push/cleanClassifier.ts";
export { scoreGuidance, scoreName } from "./push/score.ts";
export type {
  CleanClassifier,
  GuidanceResources,
  NoiseAwareClassifier,
  Resized,
  Score,
} from "./resources.ts";
export type { WeightSpec } from "./schedules.ts";
export { weightOf } from "./schedules.ts";
export type { PartialSpec } from "./spec.ts";
export { completeSpec, formatGuidance, parseGuidance } from "./spec.ts";
export type { CfgOptions } from "./weak/condition.ts";
export { cfg } from "./weak/condition.ts";
export type { IcgOptions } from "./weak/independentCondition.ts";
export { drawnCondition, gaussianCondition, icg } from "./weak/independentCondition.ts";
export type { NegativeOptions } from "./weak/negative.ts";
export { negative } from "./weak/negative.ts";
export type { PagOptions } from "./weak/perturbedAttention.ts";
export { pag } from "./weak/perturbedAttention.ts";
export type { SagBlur, SagOptions } from "./weak/selfAttention.ts";
export { sag } from "./weak/selfAttention.ts";
export type { SwgOptions, Windows } from "./weak/slidingWindows.ts";
export { swg, windowed } from "./weak/slidingWindows.ts";
export type { Damage, SelfAutoguidanceOptions } from "./weak/selfAutoguidance.ts";
export { selfAutoguidance } from "./weak/selfAutoguidance.ts";
export type { SlgOptions } from "./weak/skipLayers.ts";
export { slg } from "./weak/skipLayers.ts";
export type { SegOptions } from "./weak/smoothedEnergy.ts";
export { seg } from "./weak/smoothedEnergy.ts";
export type { StgMode, StgOptions } from "./weak/spatiotemporal.ts";
export { stg } from "./weak/spatiotemporal.ts";
export type { S2Options } from "./weak/stochasticBlocks.ts";
export { s2 } from "./weak/stochasticBlocks.ts";
export type { TpgOptions } from "./weak/tokenPerturbation.ts";
export { tpg } from "./weak/tokenPerturbation.ts";
export type { TsgOptions } from "./weak/timeStep.ts";
export { tsg } from "./weak/timeStep.ts";
export type { AutoguidanceOptions } from "./weak/weakerNetwork.ts";
export { autoguidance } from "./weak/weakerNetwork.ts";
export type { Weight, WeightSchedule } from "./weight.ts";
