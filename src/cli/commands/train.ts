import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Progress } from "../../data/download.ts";
import { withPreviews } from "../../report/trainingPreview.ts";
import { bytes, count } from "../../report/format.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { JsonObject } from "../../training/json.ts";
import { type TrainResult, train } from "../../training/loop.ts";
import { preconditioningOf } from "../../training/modelConfig.ts";
import { makeObjective } from "../../training/objectives/index.ts";
import { progressLine } from "../../training/progress.ts";
import { commandLine } from "../commandLine.ts";
import { type Io, print, printJson } from "../io.ts";
import { withRuntime } from "../openRuntime.ts";
import { type StatusLine, statusLine } from "../statusLine.ts";
import { type TrainRequest, trainRequest } from "../trainRequest.ts";
import { fairleadVersion } from "../version.ts";

/** `fairlead train`: trains, or goes on with a training. Returns the exit code: 130 after Ctrl-C, 143 after SIGTERM. */
export async function runTrain(io: Io, what: string, options: unknown): Promise<number> {
  const request = await trainRequest(what, options);
  const status = statusLine(io.stderr, request.options.quiet);
  const stop = stopOnSignals(status);
  try {
    const result = await withRuntime(io, request.options, (runtime) =>
      session(runtime, request, status, stop.signal),
    );
    status.end();
    if (request.options.json) printJson(io, await asJson(request, result));
    else
      for (const line of result.finished ? await finished(request, result) : stopped(request, result))
        print(io, line);
    return result.finished ? 0 : stop.exitCode();
  } finally {
    status.end();
    stop.dispose();
  }
}

async function session(
  runtime: Runtime,
  request: TrainRequest,
  status: StatusLine,
  signal: AbortSignal,
): Promise<TrainResult> {
  const { config, out, command, options } = request;
  const { training, ...model } = config;
  const objective = withPreviews(
    await makeObjective(runtime, config, {
      path: options.data,
      signal,
      onDownload: (progress) => status.show(downloadLine(progress)),
    }),
    runtime,
    config,
  );
  try {
    status.note(
      `training ${request.name} (${count(objective.layout.size)} parameters) in ${out}; Ctrl-C keeps what was done`,
    );
    return await train({
      objective,
      training,
      model: model as unknown as JsonObject,
      card: { command, version: fairleadVersion() },
      out,
      signal,
      onProgress: (info) => status.show(progressLine(info)),
    });
  } finally {
    await objective.dispose();
  }
}

function downloadLine({ url, received, total }: Progress): string {
  return `downloading ${url}: ${bytes(received)}${total === null ? "" : ` of ${bytes(total)}`}`;
}

/** Aborts on the first Ctrl-C (or SIGTERM); a second one ends the process at once, which loses nothing but time. */
function stopOnSignals(status: StatusLine) {
  const controller = new AbortController();
  let code = 130;
  const onSignal = (name: NodeJS.Signals): void => {
    code = name === "SIGTERM" ? 143 : 130;
    if (controller.signal.aborted) process.exit(code);
    status.note("stopping after this step and writing a checkpoint; once more stops at once");
    controller.abort();
  };
  const signals: NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    exitCode: (): number => code,
    dispose(): void {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}

async function finished(
  { name, out, config }: TrainRequest,
  { step, resumedAt, modelPath }: TrainResult,
): Promise<string[]> {
  const images = count(step * config.training.batchSize);
  const done = resumedAt === step ? "was trained before" : "is trained";
  const snapshots = await snapshotsIn(out);
  return [
    `${name} ${done}: ${count(step)} steps, ${images} images`,
    `model: ${modelPath}`,
    ...(snapshots.length > 0 ? [`snapshots: ${snapshots.length} in ${join(out, "snapshots")}`] : []),
    `next: ${nextStep(config, out)}`,
  ];
}

function stopped({ resume, out, config }: TrainRequest, { step }: TrainResult): string[] {
  const { images, batchSize } = config.training;
  return [
    `stopped after step ${count(step)} of ${count(Math.ceil(images / batchSize))}; the checkpoint is in ${out}`,
    `to go on, type: ${resume}`,
  ];
}

async function asJson({ name, out }: TrainRequest, result: TrainResult): Promise<JsonObject> {
  const { finished, step, resumedAt, modelPath } = result;
  return {
    name,
    out,
    finished,
    step,
    resumedAt,
    model: finished ? modelPath : null,
    snapshots: await snapshotsIn(out),
  };
}

async function snapshotsIn(out: string): Promise<string[]> {
  const names = await readdir(join(out, "snapshots")).catch(() => []);
  const done = names.filter((name) => name.endsWith(".safetensors"));
  return done.sort((a, b) => parseInt(a, 10) - parseInt(b, 10)).map((name) => join(out, "snapshots", name));
}

function nextStep({ objective }: TrainRequest["config"], out: string): string {
  if (preconditioningOf(objective)) return commandLine(["fairlead", "sample", out, "--seeds", "0-15"]);
  const part = objective.kind === "noisy-classifier" ? "classifier" : "extractor";
  return `copy it beside a model and name it as "${part}" in that folder's model.json`;
}
