/**
 * Damages the fixture models in ways drawn from a seed and sees that each mutant is read and rewritten, or refused in a
 * sentence, within a time limit. Run: npm run fuzz -- [--count 20000] [--seed 1] [--from 0]
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Outcome, exerciseModel } from "../src/testing/exerciseModel.ts";
import { modelsToMutate } from "../src/testing/fixtureModels.ts";
import { mutantOf } from "../src/testing/fuzz.ts";

/** A mutant that takes longer hangs. Refusals take less than a second; large models that are fine take more. */
const LIMIT_MS = 20_000;

/** Memory of JavaScript's objects, in MiB. */
const MEMORY = 2048;

interface Reply {
  readonly outcome?: Outcome;
  readonly error?: string;
  readonly ms: number;
}

if (process.send) child();
else await parent();

function child(): void {
  const models = modelsToMutate();
  process.on("message", ({ seed, index }: { seed: number; index: number }) => {
    const mutant = mutantOf(models, seed, index);
    const start = performance.now();
    const reply = (result: Omit<Reply, "ms">): void => {
      process.send!({ ...result, ms: performance.now() - start });
    };
    try {
      reply({ outcome: exerciseModel(mutant) });
    } catch (error) {
      reply({ error: (error as Error).stack ?? String(error) });
    }
  });
  process.send!({ outcome: "kept", ms: 0 });
}

async function parent(): Promise<void> {
  const { values } = parseArgs({
    options: { count: { type: "string" }, seed: { type: "string" }, from: { type: "string" } },
  });
  const [count, seed, from] = [values.count ?? 20_000, values.seed ?? 1, values.from ?? 0].map(Number);
  const outcomes: Record<string, number> = { rewritten: 0, kept: 0, refused: 0, failed: 0 };
  const slowest: [number, number][] = [];
  let worker = await start();
  for (let index = from; index < from + count; index++) {
    const reply = await ask(worker, seed, index);
    if (!reply) {
      worker.kill("SIGKILL");
      worker = await start();
    }
    const { outcome = "failed", error = "hangs, or ran out of memory", ms = LIMIT_MS } = reply ?? {};
    outcomes[outcome]++;
    slowest.push([ms, index]);
    if (outcome === "failed") console.log(`--seed ${seed} --from ${index} --count 1: ${error}\n`);
    if ((index + 1 - from) % 1000 === 0)
      console.log(`${index + 1 - from} mutants: ${JSON.stringify(outcomes)}`);
  }
  worker.kill();
  slowest.sort(([a], [b]) => b - a);
  console.log(
    `slowest: ${slowest
      .slice(0, 5)
      .map(([ms, index]) => `${index} ${ms.toFixed(0)} ms`)
      .join(", ")}`,
  );
  process.exitCode = outcomes.failed > 0 ? 1 : 0;
}

async function start(): Promise<ChildProcess> {
  const worker = fork(fileURLToPath(import.meta.url), {
    execArgv: ["--import", "tsx", `--max-old-space-size=${MEMORY}`],
  });
  await next(worker);
  return worker;
}

function ask(worker: ChildProcess, seed: number, index: number): Promise<Reply | null> {
  const reply = next(worker);
  worker.send({ seed, index });
  return reply;
}

/** The next message; null when none comes in time, or the process ends. */
function next(worker: ChildProcess): Promise<Reply | null> {
  return new Promise((resolve) => {
    const done = (reply: Reply | null): void => {
      clearTimeout(timer);
      worker.off("message", done).off("exit", gone);
      resolve(reply);
    };
    const gone = (): void => done(null);
    const timer = setTimeout(gone, LIMIT_MS);
    worker.on("message", done).on("exit", gone);
  });
}
