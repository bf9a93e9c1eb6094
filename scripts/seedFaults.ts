/**
 * Seeds faults in guidance, samplers, schedules and noise, one at a time, and sees that a test fails for each. Prints what killed it, the
 * kill rate, and the lines of test per line of source. Exits 1 where a fault survives, 2 where the list does not fit the source.
 * No file is written: tests load the changed code. Run: npm run faults -- [--only PART] [--from 0] [--jobs 2]
 *
 * A fault whose tests take more than 3 minutes hangs them: that counts as killed, by the clock.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { faults } from "./faults/index.ts";
import type { Fault } from "./faults/fault.ts";
import { relatedTests } from "./faults/relatedTests.ts";
import type { Reply } from "./faults/child.ts";
import { TestProcess } from "./faults/testProcess.ts";
import { withoutFaults } from "./faults/withoutFaults.ts";
import { testRatio } from "./faults/testRatio.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: "" },
      from: { type: "string", default: "0" },
      jobs: { type: "string", default: "2" },
    },
  });
  const chosen = faults
    .filter(({ file, why }) => `${file} ${why}`.includes(values.only))
    .slice(Number(values.from));
  const misfits = [
    ...chosen.flatMap(misfit),
    ...withoutFaults(root, faults).map((file) => `${file}: a method or a sampler without a fault`),
  ];
  for (const one of misfits) console.error(one);
  if (misfits.length > 0 || chosen.length === 0) return 2;

  const workers = Array.from({ length: Number(values.jobs) }, () => new TestProcess());
  try {
    return await seed(chosen, workers);
  } finally {
    for (const worker of workers) worker.end();
  }
}

async function seed(chosen: readonly Fault[], workers: readonly TestProcess[]): Promise<number> {
  const start = performance.now();
  const survivors: Fault[] = [];
  const known: Known = { sound: new Map(), took: new Map() };
  const queue = [...chosen];
  await Promise.all(
    workers.map(async (worker) => {
      for (let fault = queue.shift(); fault; fault = queue.shift()) {
        const { killer, error } = await tried(worker, fault, known);
        // What cannot be tried counts as alive: the list is to be put right.
        const isKilled = typeof killer === "string";
        if (!isKilled) survivors.push(fault);
        console.log(
          `${isKilled ? "killed" : "SURVIVES"}  ${fault.file}: ${fault.why}\n          ${error ?? killer ?? "by no test"}`,
        );
      }
    }),
  );
  console.log(
    `\n${chosen.length - survivors.length} of ${chosen.length} faults killed in ${seconds(start)} s`,
  );
  for (const { file, why } of survivors) console.log(`  survives: ${file}: ${why}`);
  for (const { folder, tests, source } of ratios())
    console.log(`${folder}: ${tests} lines of test, ${source} of source: ${(tests / source).toFixed(2)}`);
  return survivors.length === 0 ? 0 : 1;
}

/** What is known of files of tests. */
interface Known {
  /** Whether they pass without a fault. */
  readonly sound: Map<string, boolean>;
  /** How long they took at most, in ms. */
  readonly took: Map<string, number>;
}

/** What kills the fault, by tests that pass without it: its own test first, then the quickest. */
async function tried(worker: TestProcess, fault: Fault, { sound, took }: Known): Promise<Reply> {
  const time = (file: string): number =>
    file === fault.file.replace(/\.ts$/, ".test.ts") ? -1 : (took.get(file) ?? 0);
  for (;;) {
    const files = relatedTests(root, fault.file).filter((file) => sound.get(file) !== false);
    files.sort((a, b) => time(a) - time(b));
    const reply = await worker.run({ fault, files });
    for (const [name, ms] of reply.took ?? []) took.set(name, Math.max(ms, took.get(name) ?? 0));
    const file = files.find((one) => reply.killer?.startsWith(one));
    if (file === undefined || sound.get(file)) return reply;
    const { killer } = await worker.run({ fault: null, files: [file] });
    sound.set(file, killer === null);
    if (killer === null) return reply;
    console.error(`left out, for it fails without a fault: ${killer ?? file}`);
  }
}

const seconds = (start: number): string => ((performance.now() - start) / 1000).toFixed(0);

function ratios() {
  return [
    testRatio(root, "src/diffusion/samplers"),
    testRatio(root, "src/diffusion/schedulers"),
    testRatio(root, "src/guidance", [
      "tests/guiderFixtures.test.ts",
      "tests/guiderParts.ts",
      "src/testing/guidanceModel.ts",
    ]),
  ];
}

/** What is wrong with a fault's place. */
function misfit({ file, find, replace, why }: Fault): string[] {
  const count = readFileSync(join(root, file), "utf8").split(find).length - 1;
  if (count !== 1) return [`${file}, ${why}: "${find}" occurs ${count} times, wanted once`];
  return find === replace ? [`${file}, ${why}: changes nothing`] : [];
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error);
  process.exitCode = 2;
}
