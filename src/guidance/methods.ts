import { channelNormMethod } from "./adjust/channelNorm.ts";
import { energyMethod } from "./adjust/energy.ts";
import { epsilonScalingMethod } from "./adjust/epsilonScaling.ts";
import { momentumMethod } from "./adjust/momentum.ts";
import { rescaleMethod } from "./adjust/rescale.ts";
import { thresholdMethod } from "./adjust/threshold.ts";
import { cadsMethod } from "./change/conditionAnnealing.ts";
import { adaptiveMethod } from "./combine/adaptive.ts";
import { apgMethod } from "./combine/apg.ts";
import { apgMixMethod } from "./combine/apgMix.ts";
import { cfgPlusPlusMethod } from "./combine/cfgPlusPlus.ts";
import { cfgZeroStarMethod } from "./combine/cfgZeroStar.ts";
import { frequencyMethod } from "./combine/frequency.ts";
import { mamboMethod } from "./combine/mambo.ts";
import { mimicMethod } from "./combine/mimic.ts";
import { powerLawMethod } from "./combine/powerLaw.ts";
import { tangentialMethod } from "./combine/tangential.ts";
import type { Method } from "./method.ts";
import { classifierMethod } from "./push/classifier.ts";
import { cleanClassifierMethod } from "./push/cleanClassifier.ts";
import { cfgMethod } from "./weak/condition.ts";
import { icgMethod } from "./weak/independentCondition.ts";
import { negativeMethod } from "./weak/negative.ts";
import { pagMethod } from "./weak/perturbedAttention.ts";
import { sagMethod } from "./weak/selfAttention.ts";
import { selfAutoguidanceMethod } from "./weak/selfAutoguidance.ts";
import { slgMethod } from "./weak/skipLayers.ts";
import { swgMethod } from "./weak/slidingWindows.ts";
import { segMethod } from "./weak/smoothedEnergy.ts";
import { stgMethod } from "./weak/spatiotemporal.ts";
import { s2Method } from "./weak/stochasticBlocks.ts";
import { tpgMethod } from "./weak/tokenPerturbation.ts";
import { scoreMethod } from "./push/score.ts";
import { autoguidanceMethod } from "./weak/weakerNetwork.ts";
import { tsgMethod } from "./weak/timeStep.ts";

/** Every guidance method, in the order in which help lists them: what `parseGuidance` accepts, and what the docs are made from. */
const catalogue: readonly Method[] = [
  // How the weak prediction is made.
  cfgMethod,
  pagMethod,
  segMethod,
  sagMethod,
  slgMethod,
  stgMethod,
  tpgMethod,
  s2Method,
  swgMethod,
  autoguidanceMethod,
  selfAutoguidanceMethod,
  negativeMethod,
  icgMethod,
  tsgMethod,
  // How the two meet.
  apgMethod,
  apgMixMethod,
  cfgPlusPlusMethod,
  cfgZeroStarMethod,
  tangentialMethod,
  frequencyMethod,
  mamboMethod,
  powerLawMethod,
  mimicMethod,
  adaptiveMethod,
  // Corrections.
  rescaleMethod,
  energyMethod,
  channelNormMethod,
  thresholdMethod,
  momentumMethod,
  epsilonScalingMethod,
  // Changes of the condition.
  cadsMethod,
  // Gradients.
  classifierMethod,
  cleanClassifierMethod,
  scoreMethod,
];

/** Every guidance method by name. */
export const methods: Readonly<Record<string, Method>> = Object.fromEntries(
  catalogue.map((method) => [method.name, method]),
);

/** The method of that name, or undefined. */
export function methodNamed(name: string): Method | undefined {
  return Object.hasOwn(methods, name) ? methods[name] : undefined;
}

/** One guidance method and its options: plain data, without a model. Checked by `completeSpec`. */
export interface MethodSpec {
  readonly method: string;
  /** How the predictions of a weak method meet; absent: by extrapolation. */
  readonly combine?: MethodSpec;
  readonly [option: string]: unknown;
}
