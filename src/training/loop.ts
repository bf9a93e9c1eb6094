import { setImmediate } from "node:timers/promises";
import { FairleadError, UsageError } from "../base/errors.ts";
import { adamStep, clipFactor, gradientNorm } from "./adam.ts";
import { writeAtomically } from "../files/atomicFile.ts";
import { saveModelFile } from "./checkpoint.ts";
import type { TrainingConfig } from "./config.ts";
import { emaDecay, emaStep } from "./ema.ts";
import type { JsonObject } from "./json.ts";
import { learningRateAt } from "./learningRate.ts";
import type { Objective } from "./objective.ts";
import type { ProgressInfo } from "./progress.ts";
import { type RunFolder, enterRun, runFolder } from "./runFolder.ts";
import { appendStats, truncateStats } from "./statsLog.ts";
import { addToWindow, windowMeans } from "./statsWindow.ts";
import { type TrainingState, initialState, loadTrainingState, saveTrainingState } from "./trainingState.ts";

export interface TrainOptions {
  readonly objective: Objective;
  readonly training: TrainingConfig;
  /** What is trained (network, preconditioning, data): the `config` of every model file. */
  readonly model: JsonObject;
  /** More entries for the card of every model file, such as the version and the command. */
  readonly card?: JsonObject;
  /** The folder of this training: new, empty, or the same training's, which is then resumed. */
  readonly out: string;
  /** Called at most about once a second, and at the end. */
  readonly onProgress?: (info: ProgressInfo) => void;
  /** Aborting ends the training after the step under way, with a checkpoint to resume from. */
  readonly signal?: AbortSignal;
}

export interface TrainResult {
  readonly finished: boolean;
  /** Steps done, in all. */
  readonly step: number;
  /** The step this session began at: 0, or where it resumed. */
  readonly resumedAt: number;
  /** The final model of the first average; there once finished. */
  readonly modelPath: string;
}

/** What the parts of one session share. */
interface Session extends TrainOptions {
  readonly folder: RunFolder;
  readonly config: JsonObject;
  /** Steps of the whole training. */
  readonly steps: number;
  readonly gradient: Float32Array;
  /** The last checkpoint: its step (-1: none yet), and when it was written or read. */
  saved: { step: number; at: number };
}

/**
 * Trains an objective until the configured number of images, resuming where an earlier session of the same training
 * in the same folder stopped, however it stopped. The final weights are bit for bit those of an uninterrupted training.
 *
 * Writes into `out`: config.json; state.safetensors (the checkpoint); stats.jsonl; snapshots/IMAGES-EMA.safetensors;
 * previews/; model.safetensors (the first average at the end).
 *
 * Throws UsageError when `out` holds anything else, FileError when a file is damaged or cannot be written, and
 * FairleadError when loss or gradient stop being finite; the last good checkpoint stays in each case.
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { objective, training, model, out, signal } = options;
  if (objective.batchSize !== training.batchSize) {
    throw new UsageError(
      `the objective has batches of ${objective.batchSize}, training.batchSize is ${training.batchSize}`,
    );
  }
  const config = { model, training: training as unknown as JsonObject };
  const folder = runFolder(out);
  const { resumable } = await enterRun(folder, config);
  const state = resumable
    ? await loadTrainingState(folder.state, objective.layout, training, config)
    : initialState(objective, training);
  await truncateStats(folder.stats, state.step);

  const resumedAt = state.step;
  const steps = Math.ceil(training.images / training.batchSize);
  const gradient = new Float32Array(objective.layout.size);
  const saved = { step: resumable ? state.step : -1, at: performance.now() };
  const session: Session = { ...options, folder, config, steps, gradient, saved };
  const clock = startClock(session, state);
  while (state.step < steps && !signal?.aborted) {
    const loss = await advance(state, session);
    await writeDue(state, session);
    if (checkpointDue(state, session)) await checkpoint(state, session, clock.seconds());
    await clock.tick(loss);
  }
  if (session.saved.step < state.step) await checkpoint(state, session, clock.seconds());
  clock.finish();
  return { finished: state.step >= steps, step: state.step, resumedAt, modelPath: folder.model };
}

/** One step, in place on `state`: gradient, clipping, Adam, projection, averages. Returns the loss. */
async function advance(state: TrainingState, session: Session): Promise<number> {
  const { objective, training, gradient } = session;
  const { step, parameters, emas } = state;
  const { loss, metrics } = await objective.evaluate(parameters, step, gradient);
  const norm = gradientNorm(gradient);
  if (!Number.isFinite(loss)) throw diverged("the loss", loss, step, session);
  if (!Number.isFinite(norm)) throw diverged("the gradient", norm, step, session);

  const { optimiser } = training;
  const settings = { ...optimiser, decoupled: optimiser.kind === "adamw" };
  const learningRate = learningRateOf(step, session);
  adamStep(parameters, gradient, state, settings, learningRate, step + 1, clipFactor(norm, optimiser.clip));
  objective.project?.(parameters);
  for (const rule of training.ema) {
    emaStep(emas.get(rule.name)!, parameters, emaDecay(rule, step, training.batchSize));
  }

  state.step = step + 1;
  state.window = addToWindow(state.window, { loss, gradientNorm: norm, ...metrics });
  return loss;
}

function learningRateOf(step: number, { training, steps }: Session): number {
  return learningRateAt(training.schedule, training.optimiser.learningRate, step, steps);
}

/** Writes what is due after a step: stats, snapshots, previews, at the end the final model. All before the checkpoint. */
async function writeDue(state: TrainingState, session: Session): Promise<void> {
  const { objective, training, folder, steps } = session;
  const { step, emas } = state;
  const images = step * training.batchSize;
  const before = images - training.batchSize;
  const last = step === steps;
  if (step % training.statsEverySteps === 0 || last) {
    const line = {
      step,
      images,
      learningRate: learningRateOf(step - 1, session),
      ...windowMeans(state.window),
    };
    await appendStats(folder.stats, line);
    state.window = { steps: 0, sums: {} };
  }

  const [main] = training.ema;
  if (last || snapshotDue(training, before, images)) {
    for (const { name } of training.ema)
      await saveAverage(folder.snapshot(images, name), name, state, session);
  }
  if (last) await saveAverage(folder.model, main.name, state, session);

  const previewDue = crosses(training.previewEvery, before, images) || (last && training.previewEvery > 0);
  if (objective.preview && previewDue) {
    const preview = await objective.preview(emas.get(main.name)!, step);
    if (preview) await writeAtomically(folder.preview(images, preview.name), [preview.bytes]);
  }
}

/** Writes one average as a model file. The card says nothing of times, so that equal trainings give equal files. */
async function saveAverage(path: string, ema: string, state: TrainingState, session: Session): Promise<void> {
  const { objective, training, model, config, card } = session;
  assertFinite(state, session);
  const { step, emas } = state;
  const made = {
    step,
    images: step * training.batchSize,
    seed: training.seed,
    ema,
    training: config.training,
  };
  const parameters = emas.get(ema)!;
  await saveModelFile(path, {
    layout: objective.layout,
    parameters,
    config: model,
    card: { ...card, ...made },
  });
}

function checkpointDue({ step }: TrainingState, { training, saved, steps }: Session): boolean {
  const { seconds, steps: every } = training.checkpoint;
  const byTime = performance.now() - saved.at >= 1000 * seconds;
  return byTime || (every !== null && step % every === 0) || step === steps;
}

async function checkpoint(state: TrainingState, session: Session, seconds: number): Promise<void> {
  assertFinite(state, session);
  const { folder, objective, config } = session;
  await saveTrainingState(folder.state, { ...state, seconds }, objective.layout, config);
  session.saved = { step: state.step, at: performance.now() };
}

function snapshotDue({ snapshots }: TrainingConfig, before: number, images: number): boolean {
  if (Array.isArray(snapshots)) return snapshots.some((at) => before < at && at <= images);
  return crosses(snapshots.every, before, images);
}

/** Whether a multiple of `every` lies in (before, images]; never for every = 0. */
function crosses(every: number, before: number, images: number): boolean {
  return every > 0 && Math.floor(images / every) > Math.floor(before / every);
}

/** Nothing that is not finite may reach a file. */
function assertFinite(state: TrainingState, session: Session): void {
  for (const values of [state.parameters, state.m, state.v, ...state.emas.values()]) {
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw diverged("a weight", values[bad], state.step - 1, session);
  }
}

function diverged(
  what: string,
  value: number,
  step: number,
  { training, out, saved }: Session,
): FairleadError {
  const { learningRate, clip } = training.optimiser;
  const kept =
    saved.step < 0 ? "no checkpoint was written yet" : `the checkpoint of step ${saved.step} stays in ${out}`;
  const hint = clip === null ? " or clip the gradient (training.optimiser.clip=1)" : "";
  return new FairleadError(
    `training stopped at step ${step} (image ${step * training.batchSize}): ${what} is ${value}; ${kept}; train into a ` +
      `new folder with a lower training.optimiser.learningRate (now ${learningRate})${hint}`,
  );
}

/** Keeps time, reports progress about once a second, and lets signals through between steps that never wait. */
function startClock({ onProgress, training, steps }: Session, state: TrainingState) {
  const { batchSize, images: total } = training;
  const start = performance.now();
  const first = { step: state.step, seconds: state.seconds };
  const mean = { sum: 0, weight: 0 };
  let lastReport = start;
  let lastPause = start;
  const elapsed = (): number => (performance.now() - start) / 1000;
  const report = (): void => {
    const { step } = state;
    const images = Math.min(total, step * batchSize);
    const imagesPerSecond = ((step - first.step) * batchSize) / elapsed();
    const eta = ((steps - step) * batchSize) / imagesPerSecond;
    onProgress?.({ step, steps, images, total, loss: mean.sum / mean.weight, imagesPerSecond, eta });
    lastReport = performance.now();
  };
  return {
    /** Seconds of training, earlier sessions included. */
    seconds: (): number => first.seconds + elapsed(),
    /** After every step, with its loss. */
    async tick(loss: number): Promise<void> {
      mean.sum = 0.98 * mean.sum + 0.02 * loss;
      mean.weight = 0.98 * mean.weight + 0.02;
      if (performance.now() - lastReport >= 1000) report();
      if (performance.now() - lastPause >= 50) {
        await setImmediate();
        lastPause = performance.now();
      }
    },
    /** The last report, if any step was taken. */
    finish(): void {
      if (state.step > first.step) report();
    },
  };
}
