import { createHash } from "node:crypto";
import { philox } from "../base/philox.ts";
import { FileError } from "../base/errors.ts";
import { jsonOf, readChecked, writeChecked } from "./checkpoint.ts";
import type { TrainingConfig } from "./config.ts";
import { type Json, type JsonObject, canonicalJson } from "./json.ts";
import { flatParameters, namedEntries } from "./namedParameters.ts";
import type { Objective, ParameterLayout } from "./objective.ts";
import type { WindowSums } from "./statsWindow.ts";

const stateFormat = "fairlead.training.1";

/** The random stream of the starting parameters. */
export const initialisationStream = 0;

/** All that a training has to remember between two steps. */
export interface TrainingState {
  /** Steps done. */
  step: number;
  readonly parameters: Float32Array;
  /** Adam's moments. */
  readonly m: Float32Array;
  readonly v: Float32Array;
  /** One array per name in the config's `ema`. */
  readonly emas: ReadonlyMap<string, Float32Array>;
  /** Sums since the last line of stats.jsonl. */
  window: WindowSums;
  /** Seconds of training so far, all sessions together. */
  seconds: number;
}

/** The state before the first step: parameters drawn from the seed, averages equal to them, moments zero. */
export function initialState(objective: Objective, training: TrainingConfig): TrainingState {
  const parameters = objective.initialise(philox(training.seed, initialisationStream));
  return {
    step: 0,
    parameters,
    m: new Float32Array(parameters.length),
    v: new Float32Array(parameters.length),
    emas: new Map(training.ema.map(({ name }) => [name, parameters.slice()])),
    window: { steps: 0, sums: {} },
    seconds: 0,
  };
}

/** Writes the state as one safetensors file, atomically: the one before stays until this one is whole. */
export async function saveTrainingState(
  path: string,
  state: TrainingState,
  layout: ParameterLayout,
  config: Json,
): Promise<void> {
  const arrays: [string, Float32Array][] = [
    ["parameters/", state.parameters],
    ["m/", state.m],
    ["v/", state.v],
    ...[...state.emas].map(([name, values]): [string, Float32Array] => [`ema/${name}/`, values]),
  ];
  const entries = new Map(arrays.flatMap(([prefix, values]) => namedEntries(layout, values, { prefix })));
  const { step, seconds, window } = state;
  const progress = JSON.stringify({ step, seconds, window });
  await writeChecked(path, {
    entries,
    metadata: { format: stateFormat, configHash: configHash(config), progress },
  });
}

/** The state in a file. Throws FileError when it is damaged, or of another configuration or network. */
export async function loadTrainingState(
  path: string,
  layout: ParameterLayout,
  training: TrainingConfig,
  config: Json,
): Promise<TrainingState> {
  const { entries, metadata } = await readChecked(path);
  if (metadata.format !== stateFormat) {
    throw new FileError(`${path} is not a training state of Fairlead (wanted the format "${stateFormat}")`);
  }
  if (metadata.configHash !== configHash(config)) {
    throw new FileError(`${path} belongs to another configuration than the config.json beside it`);
  }
  const { step, seconds, window } = jsonOf(metadata, "progress", path) as JsonObject & Progress;
  const flat = (prefix: string): Float32Array => flatParameters(layout, entries, path, prefix);
  return {
    step,
    parameters: flat("parameters/"),
    m: flat("m/"),
    v: flat("v/"),
    emas: new Map(training.ema.map(({ name }) => [name, flat(`ema/${name}/`)])),
    window,
    seconds,
  };
}

type Progress = Pick<TrainingState, "step" | "seconds" | "window">;

/** SHA-256 of a configuration, independent of the order of its keys. */
export function configHash(config: Json): string {
  return createHash("sha256").update(canonicalJson(config)).digest("hex");
}
