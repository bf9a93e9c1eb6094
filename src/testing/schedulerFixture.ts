/** The scheduler fixtures: tables and whole trajectories of diffusers' scheduler classes (their README says what each field is). */
import { existsSync, readFileSync } from "node:fs";

export interface SchedulerRun {
  /** null: given by the arguments of set_timesteps. */
  readonly num_inference_steps: number | null;
  readonly set_timesteps: Readonly<Record<string, number | readonly number[]>>;
  readonly step: Readonly<Record<string, number | boolean>>;
  /** One a call of the model. */
  readonly timesteps: readonly number[];
  readonly sigmas: readonly number[] | null;
  readonly init_noise_sigma: number | null;
  readonly step_calls: number;
  readonly noise_used: number;
  readonly fragile_timesteps: readonly number[];
  readonly tol: { readonly state: number; readonly timestep: number; readonly sigma: number | null };
  /** Flat, in the class's own coordinates; the key is the number of calls made before. */
  readonly states: Readonly<Record<string, readonly number[]>>;
}

export interface SchedulerCase {
  readonly id: string;
  readonly config: SchedulerConfigJson;
  readonly runs: readonly SchedulerRun[];
}

/** The content of a scheduler_config.json, not checked. */
export type SchedulerConfigJson = Readonly<
  Record<string, number | string | boolean | null | readonly number[]>
>;

export interface SchedulerFile {
  readonly class: string;
  readonly order: number;
  readonly cases: readonly SchedulerCase[];
}

interface Common {
  readonly shape: readonly number[];
  readonly model: { readonly a: number; readonly b: number };
  readonly z: readonly number[];
  readonly noise: readonly (readonly number[])[];
}

/** The classes that the fixtures cover. */
export const schedulerClasses = [
  "DDIMScheduler",
  "DDPMScheduler",
  "DEISMultistepScheduler",
  "DPMSolverMultistepScheduler",
  "DPMSolverSDEScheduler",
  "DPMSolverSinglestepScheduler",
  "EDMDPMSolverMultistepScheduler",
  "EDMEulerScheduler",
  "EulerAncestralDiscreteScheduler",
  "EulerDiscreteScheduler",
  "FlowMatchEulerDiscreteScheduler",
  "FlowMatchHeunDiscreteScheduler",
  "FlowMatchLCMScheduler",
  "HeunDiscreteScheduler",
  "IPNDMScheduler",
  "KDPM2AncestralDiscreteScheduler",
  "KDPM2DiscreteScheduler",
  "LCMScheduler",
  "LMSDiscreteScheduler",
  "PNDMScheduler",
  "TCDScheduler",
  "UniPCMultistepScheduler",
] as const;

/** A selection in the repository, with cases that the whole collection lacks, and the collection, where it lies beside the repository. */
const own = new URL("../../tests/fixtures/schedulers/", import.meta.url);
const whole = new URL("../../../shared/fixtures/schedulers/", import.meta.url);

/** A file of the fixtures as text: the collection's, if it is there. */
export function schedulerText(file: string): string {
  const url = new URL(file, whole);
  return readFileSync(existsSync(url) ? url : new URL(file, own), "utf8");
}

/** The cases of a class: the repository's own, and those of the collection with other ids. */
export function schedulerFile(name: string): SchedulerFile {
  const files = [own, whole]
    .map((folder) => new URL(`${name}.json`, folder))
    .filter((url) => existsSync(url))
    .map((url) => JSON.parse(readFileSync(url, "utf8")) as SchedulerFile);
  const cases = new Map(files.flatMap((file) => file.cases).map((one) => [one.id, one]));
  return { class: name, order: files[0]?.order ?? 1, cases: [...cases.values()] };
}

/** [name, case, run] of every run of a class, for test.each. `only` selects by the case's id. */
export function schedulerRuns(
  name: string,
  only: (id: string, one: SchedulerCase) => boolean = () => true,
): (readonly [title: string, one: SchedulerCase, run: SchedulerRun])[] {
  return schedulerFile(name)
    .cases.filter((one) => only(one.id, one))
    .flatMap((one) =>
      one.runs.map((run) => [`${one.id}, ${run.num_inference_steps ?? "given"} steps`, one, run] as const),
    );
}

export const schedulerCommon = JSON.parse(schedulerText("common.json")) as Common;
