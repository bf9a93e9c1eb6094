import { rescaleMethod } from "./adjust/rescale.ts";
import { apgMethod } from "./combine/apg.ts";
import { cfgPlusPlusMethod } from "./combine/cfgPlusPlus.ts";
import type { Method } from "./method.ts";
import { classifierMethod } from "./push/classifier.ts";
import { autoguidanceMethod } from "./weak/weakerNetwork.ts";
import { cfgMethod } from "./weak/condition.ts";
import { pagMethod } from "./weak/perturbedAttention.ts";

/** Every guidance method, in the order in which help lists them: what `parseGuidance` accepts, and what the docs are made from. */
const catalogue: readonly Method[] = [
  // How the weak prediction is made.
  cfgMethod,
  pagMethod,
  autoguidanceMethod,
  // How the two meet.
  apgMethod,
  cfgPlusPlusMethod,
  // Corrections.
  rescaleMethod,
  // Gradients.
  classifierMethod,
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
