import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FairleadError, FileError, UsageError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";
import { adamStep, clipFactor, gradientNorm } from "./adam.ts";
import { loadModelFile, modelParameters } from "./checkpoint.ts";
import { type TrainingInput, parseTraining } from "./config.ts";
import { emaStep } from "./ema.ts";
import { learningRateAt } from "./learningRate.ts";
import { type TrainOptions, train } from "./loop.ts";
import { noisyQuadratic } from "../testing/noisyQuadratic.ts";
import type { Objective } from "./objective.ts";
import type { ProgressInfo } from "./progress.ts";
import { initialisationStream } from "./trainingState.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fairlead-training-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const settings: TrainingInput = {
  seed: 5,
  batchSize: 4,
  images: 400,
  optimiser: { learningRate: 0.1 },
  ema: [
    { name: "mean", kind: "constant", decay: 0.9 },
    { name: "raw", kind: "none" },
  ],
  statsEverySteps: 10,
  checkpoint: { steps: 15 },
};

interface Given extends Partial<Omit<TrainOptions, "training" | "objective">> {
  training?: Partial<TrainingInput>;
  change?: (objective: Objective) => Partial<Objective>;
}

function run({ training: changed, change, ...rest }: Given = {}) {
  const training = parseTraining({ ...settings, ...changed });
  const plain = noisyQuadratic(training, 8);
  const objective = { ...plain, ...change?.(plain) };
  return train({ objective, training, model: { network: "quadratic" }, out: join(folder, "run"), ...rest });
}

/** Every file that must not depend on interruptions, with its bytes. */
function results(out: string): Record<string, string> {
  const files = [
    "model.safetensors",
    "stats.jsonl",
    ...readdirSync(join(out, "snapshots")).map((f) => `snapshots/${f}`),
  ];
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(out, file)).toString("base64")]));
}

function statsSteps(out: string): number[] {
  const lines = readFileSync(join(out, "stats.jsonl"), "utf8").trimEnd().split("\n");
  return lines.map((line) => (JSON.parse(line) as { step: number }).step);
}

/** An objective's evaluate that throws, as a crash would, when it comes to `step`. */
const crashAt =
  (step: number) =>
  (objective: Objective): Partial<Objective> => ({
    evaluate: (parameters, at, gradient) => {
      if (at === step) throw new Error("crash");
      return objective.evaluate(parameters, at, gradient);
    },
  });

test("training a quadratic finds its minimum", async () => {
  const result = await run({ training: { images: 8000, schedule: { kind: "cosine" } } });
  expect(result).toMatchObject({ finished: true, step: 2000, resumedAt: 0 });
  const { layout } = noisyQuadratic({ seed: 0, batchSize: 1 }, 8);
  const parameters = modelParameters(await loadModelFile(result.modelPath), layout);
  const target = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => i / 8);
  expect(parameters).toBeAllClose(target, { abs: 0.15 }); // noise of 1/sqrt(4) a step, averaged over some 100 steps
});

test("the loop is gradient, clipping, Adam and average, one after another, with counts that start where they should", async () => {
  const schedule = { kind: "cosine", warmUpSteps: 3, final: 0 } as const;
  const changed = {
    images: 40,
    schedule,
    optimiser: { kind: "adamw", learningRate: 0.1, weightDecay: 0.2, clip: 1 },
  };
  const { modelPath } = await run({ training: changed as Partial<TrainingInput> });

  const objective = noisyQuadratic({ seed: 5, batchSize: 4 }, 8);
  const parameters = objective.initialise(philox(5, initialisationStream));
  const mean = parameters.slice();
  const gradient = new Float32Array(8);
  const state = { m: new Float32Array(8), v: new Float32Array(8) };
  const adamw = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.2, decoupled: true } as const;
  for (let step = 0; step < 10; step++) {
    await objective.evaluate(parameters, step, gradient);
    const learningRate = learningRateAt(schedule, 0.1, step, 10);
    adamStep(
      parameters,
      gradient,
      state,
      adamw,
      learningRate,
      step + 1,
      clipFactor(gradientNorm(gradient), 1),
    );
    emaStep(mean, parameters, 0.9);
  }
  expect(modelParameters(await loadModelFile(modelPath), objective.layout)).toEqual(mean);
});

test("a training that crashes and resumes writes the same files as one that does not", async () => {
  const snapshots = [100, 202];
  await run({ training: { snapshots }, out: join(folder, "whole") });
  for (const step of [3, 29, 47, 47, 98]) {
    await expect(run({ training: { snapshots }, change: crashAt(step) })).rejects.toThrow("crash");
  }
  const last = await run({ training: { snapshots } });
  expect(last).toMatchObject({ finished: true, resumedAt: 90 });
  expect(results(join(folder, "run"))).toEqual(results(join(folder, "whole")));
  expect(statsSteps(join(folder, "run"))).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
});

test("a process killed with SIGKILL at random moments, and resumed until done, ends in the same bytes", async () => {
  const child = fileURLToPath(new URL("../testing/trainingChild.ts", import.meta.url));
  /** Runs a session; kills it `killAfterMs` after its first step. Resolves to whether it finished. */
  const session = (out: string, stepMs: number, killAfterMs?: number): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const process_ = spawn(process.execPath, ["--import", "tsx", child, out, String(stepMs)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let finished = false;
      let timer: NodeJS.Timeout | undefined;
      createInterface(process_.stdout).on("line", (line) => {
        finished ||= line === "finished";
        if (killAfterMs !== undefined) timer ??= setTimeout(() => process_.kill("SIGKILL"), killAfterMs);
      });
      process_.on("error", reject);
      process_.on("close", () => {
        clearTimeout(timer);
        resolve(finished);
      });
    });

  const killed = join(folder, "killed");
  const whole = join(folder, "whole");
  const reference = session(whole, 0);
  let kills = 0;
  // Later sessions live longer, so that a slow machine comes to the end too.
  while (!(await session(killed, 2, (100 + 250 * Math.random()) * (1 + kills / 5)))) kills++;
  expect(await reference).toBe(true);
  expect(kills).toBeGreaterThan(0);
  expect(results(killed)).toEqual(results(whole));
});

test("an abort ends after the step under way with a checkpoint, and the same call goes on from there", async () => {
  const controller = new AbortController();
  const change = (objective: Objective): Partial<Objective> => ({
    evaluate: (parameters, step, gradient) => {
      if (step === 41) controller.abort();
      return objective.evaluate(parameters, step, gradient);
    },
  });
  expect(await run({ change, signal: controller.signal })).toMatchObject({ finished: false, step: 42 });
  expect(existsSync(join(folder, "run", "model.safetensors"))).toBe(false);
  expect(await run()).toMatchObject({ finished: true, resumedAt: 42, step: 100 });
});

test("a signal from outside reaches a training whose steps never wait", async () => {
  const busy = { images: 1_000_000, statsEverySteps: 1_000_000, checkpoint: {} };
  const result = await run({ signal: AbortSignal.timeout(100), training: busy });
  expect(result.finished).toBe(false);
});

test("a finished training is left as it is", async () => {
  await run();
  const before = results(join(folder, "run"));
  const evaluate = (): never => {
    throw new Error("evaluated");
  };
  expect(await run({ change: () => ({ evaluate }) })).toMatchObject({ finished: true, resumedAt: 100 });
  expect(results(join(folder, "run"))).toEqual(before);
});

test("snapshots hold every average at the first step at or past their image counts, and at the end", async () => {
  await run({ training: { snapshots: [1, 40, 42] } });
  const names = (out: string) => readdirSync(join(folder, out, "snapshots")).sort();
  const both = (images: number[]) =>
    images.flatMap((n) => [`${n}-mean.safetensors`, `${n}-raw.safetensors`]).sort();
  expect(names("run")).toEqual(both([4, 40, 44, 400]));
  await run({ training: { snapshots: { every: 150 } }, out: join(folder, "every") });
  expect(names("every")).toEqual(both([152, 300, 400]));

  const { config, card } = await loadModelFile(join(folder, "run", "snapshots", "40-mean.safetensors"));
  expect(config).toEqual({ network: "quadratic" });
  expect(card).toMatchObject({ step: 10, images: 40, seed: 5, ema: "mean", training: { batchSize: 4 } });
});

test("previews are written every so many images, made of the first average", async () => {
  const seen: number[] = [];
  const change = (): Partial<Objective> => ({
    preview: (_, step) => {
      seen.push(step);
      return Promise.resolve({ name: "grid.png", bytes: Uint8Array.of(step) });
    },
  });
  await run({ training: { previewEvery: 120 }, change });
  expect(seen).toEqual([30, 60, 90, 100]);
  expect([...readFileSync(join(folder, "run", "previews", "360-grid.png"))]).toEqual([90]);
});

test("the projection is applied after every update", async () => {
  const change = (): Partial<Objective> => ({
    project: (parameters) => {
      const norm = Math.hypot(...parameters);
      parameters.forEach((p, i) => (parameters[i] = p / norm));
    },
  });
  const { modelPath } = await run({ change, training: { ema: [{ name: "raw", kind: "none" }] } });
  const { layout } = noisyQuadratic({ seed: 0, batchSize: 1 }, 8);
  expect(Math.hypot(...modelParameters(await loadModelFile(modelPath), layout))).toBeAllClose(1, {
    abs: 1e-6,
  });
});

test("stats are the means over their steps", async () => {
  const losses: number[] = [];
  const change = (objective: Objective): Partial<Objective> => ({
    evaluate: async (parameters, step, gradient) => {
      const result = await objective.evaluate(parameters, step, gradient);
      losses.push(result.loss);
      return result;
    },
  });
  await run({ change });
  const [, second] = readFileSync(join(folder, "run", "stats.jsonl"), "utf8").split("\n");
  const line = JSON.parse(second) as Record<string, number>;
  expect(line).toMatchObject({ step: 20, images: 80, learningRate: 0.1 });
  expect(line.loss).toBeAllClose(losses.slice(10, 20).reduce((a, b) => a + b) / 10, { rel: 1e-12 });
  expect(Object.keys(line)).toEqual(["step", "images", "learningRate", "loss", "gradientNorm", "first"]);
});

test("progress ends at the last step", async () => {
  const infos: ProgressInfo[] = [];
  await run({ onProgress: (info) => infos.push(info) });
  expect(infos.at(-1)).toMatchObject({ step: 100, steps: 100, images: 400, total: 400, eta: 0 });
});

test.each<[string, (step: number, gradient: Float32Array) => number, RegExp]>([
  ["NaN in the loss", () => NaN, /stopped at step 41 \(image 164\): the loss is NaN/],
  ["an infinite loss", () => Infinity, /the loss is Infinity/],
  ["NaN in the gradient", (_, gradient) => ((gradient[3] = NaN), 1), /the gradient is NaN/],
  ["infinity in the gradient", (_, gradient) => ((gradient[3] = -Infinity), 1), /the gradient is Infinity/],
])(
  "%s stops the training, names the step, and leaves the last good checkpoint",
  async (_, spoil, message) => {
    const change = (objective: Objective): Partial<Objective> => ({
      evaluate: async (parameters, step, gradient) => {
        const result = await objective.evaluate(parameters, step, gradient);
        return step === 41 ? { loss: spoil(step, gradient) } : result;
      },
    });
    const failed = run({ change });
    await expect(failed).rejects.toThrow(FairleadError);
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toThrow(
      /the checkpoint of step 30 stays in .*learningRate \(now 0\.1\).*clip=1/,
    );
    expect(await run()).toMatchObject({ resumedAt: 30, finished: true });
  },
);

test("weights that overflow never reach a checkpoint", async () => {
  const change = (): Partial<Objective> => ({ project: (parameters) => void (parameters[2] = Infinity) });
  const overflowing = run({ change, training: { checkpoint: { steps: 1 } } });
  await expect(overflowing).rejects.toThrow(
    /stopped at step 0 .*a weight is Infinity; no checkpoint was written yet/,
  );
  expect(existsSync(join(folder, "run", "state.safetensors"))).toBe(false);
});

test("another configuration in the same folder is refused by the key that differs, and nothing is touched", async () => {
  await run();
  const before = results(join(folder, "run"));
  const other = run({ training: { optimiser: { learningRate: 0.2 } } });
  await expect(other).rejects.toThrow(UsageError);
  await expect(other).rejects.toThrow(/training\.optimiser\.learningRate is 0\.1 there and 0\.2 now/);
  await expect(run({ model: { network: "cubic" } })).rejects.toThrow(
    /model\.network is "quadratic" there and "cubic" now/,
  );
  expect(results(join(folder, "run"))).toEqual(before);
});

test("a folder that holds something else, and a file in its place, are refused", async () => {
  writeFileSync(join(folder, "thesis.txt"), "precious");
  await expect(run({ out: folder })).rejects.toThrow(UsageError);
  await expect(run({ out: folder })).rejects.toThrow(/exists and holds no training of Fairlead/);
  await expect(run({ out: join(folder, "thesis.txt") })).rejects.toThrow(/is a file; give --out/);
  expect(readdirSync(folder)).toEqual(["thesis.txt"]);
});

test("a damaged config.json or state is a clear error", async () => {
  await run();
  const copy = (name: string): string => {
    cpSync(join(folder, "run"), join(folder, name), { recursive: true });
    return join(folder, name);
  };
  const cut = copy("cut");
  writeFileSync(join(cut, "config.json"), '{"mod');
  await expect(run({ out: cut })).rejects.toThrow(/config\.json is damaged/);

  const flipped = copy("flipped");
  const bytes = readFileSync(join(flipped, "state.safetensors"));
  bytes[bytes.length - 1] ^= 1;
  writeFileSync(join(flipped, "state.safetensors"), bytes);
  await expect(run({ out: flipped })).rejects.toThrow(/state\.safetensors is damaged/);
});

test.skipIf(!existsSync("/dev/full"))(
  "a full disk is one clear error, and the checkpoint before it stays",
  async () => {
    await expect(run({ change: crashAt(20) })).rejects.toThrow("crash");
    const state = join(folder, "run", "state.safetensors");
    const before = readFileSync(state);
    symlinkSync("/dev/full", `${state}.tmp`); // every write to it fails as on a full disk
    const full = run();
    await expect(full).rejects.toThrow(FileError);
    await expect(full).rejects.toThrow(/^disk full: [^\n]*state\.safetensors was not written[^\n]*$/);
    expect(readFileSync(state)).toEqual(before);
    expect(existsSync(`${state}.tmp`)).toBe(false);
    expect(await run()).toMatchObject({ resumedAt: 15, finished: true });
  },
);

test("an objective with another batch size than configured is refused", async () => {
  await expect(run({ change: () => ({ batchSize: 5 }) })).rejects.toThrow(
    /batches of 5, training\.batchSize is 4/,
  );
});
