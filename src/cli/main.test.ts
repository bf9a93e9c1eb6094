import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "fairlead-main-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Runs `fairlead` as a process; `onErr` hears of standard error as it comes, and may send a signal. */
function fairlead(argv: string[], onErr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void) {
  const child = spawn(process.execPath, ["--import", "tsx", main, ...argv]);
  let [out, err] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (out += text.toString()));
  child.stderr.on("data", (text: Buffer) => {
    err += text.toString();
    onErr?.(text.toString(), (signal) => child.kill(signal));
  });
  const ended = new Promise<{
    code: number | null;
    signal: NodeJS.Signals | null;
    out: string;
    err: string;
  }>((resolve) => child.on("close", (code, signal) => resolve({ code, signal, out, err })));
  return { child, ended };
}

test("a usage error is exit code 2 and one line on standard error, without a stack", async () => {
  const { code, out, err } = await fairlead(["sampel"]).ended;
  expect(code).toBe(2);
  expect(out).toBe("");
  expect(err).toBe(
    "fairlead: unknown command 'sampel' (Did you mean sample?); fairlead --help says what there is\n",
  );
});

test("a reader that goes away is no error", async () => {
  const { child, ended } = fairlead(["sample", "--help"]);
  child.stdout.destroy();
  const { code, err } = await ended;
  expect(err).toBe("");
  expect(code).toBe(0);
});

test("Ctrl-C ends a training with a checkpoint, says how to go on, and the same command does", async () => {
  const config = join(root, "eight.json");
  const training = { batchSize: 64, images: 64 * 3000, statsEverySteps: 10 };
  const network = { kind: "density", dims: 2, layers: 1, hidden: 8 };
  await writeFile(
    config,
    JSON.stringify({ network, objective: { kind: "exact-score" }, data: { name: "eight" }, training }),
  );
  const argv = ["train", config, "--out", join(root, "eight"), "--threads", "1"];
  const stopped = await fairlead(argv, (text, kill) => {
    if (text.includes("training eight")) {
      const timer = setInterval(() => {
        if (!existsSync(join(root, "eight/stats.jsonl"))) return;
        clearInterval(timer);
        kill("SIGINT");
      }, 20);
    }
  }).ended;
  expect(stopped.code).toBe(130);
  expect(stopped.out).toMatch(/^stopped after step [\d,]+ of 3,000; the checkpoint is in /);
  expect(stopped.out).toContain(`to go on, type: fairlead train ${config} --out ${join(root, "eight")}`);

  const { code, out } = await fairlead([...argv, "--json"]).ended;
  expect(code).toBe(0);
  const result = JSON.parse(out) as { finished: boolean; resumedAt: number; model: string };
  expect(result.finished).toBe(true);
  expect(result.resumedAt).toBeGreaterThan(0);
  expect((await readFile(result.model)).length).toBeGreaterThan(100);
});

test("Ctrl-C ends sampling and comparing, and leaves no folder behind", async () => {
  for (const [command, more] of [
    ["sample", ["--seeds", "0-200000"]],
    ["compare", ["--samples", "200000"]],
  ] as const) {
    const out = join(root, `stopped-${command}`);
    const { child, ended } = fairlead([command, "tree", "--threads", "1", "--out", out, ...more]);
    const timer = setInterval(() => {
      if (!existsSync(out)) return;
      clearInterval(timer);
      setTimeout(() => child.kill("SIGINT"), 100);
    }, 20);
    expect(await ended).toMatchObject({ signal: "SIGINT", out: "" });
    expect(existsSync(out)).toBe(false);
  }
});

test("Ctrl-C while results are written waits for them; once more ends at once", async () => {
  const script = join(root, "slow.mjs");
  const folder = new URL("./outFolder.ts", import.meta.url).href;
  await writeFile(
    script,
    `import { writeFileSync } from "node:fs";
     import { withOutFolder } from ${JSON.stringify(folder)};
     await withOutFolder({ out: process.argv[2], stem: "" }, async (folder) => {
       writeFileSync(folder + "/first", "");
       console.log("begun");
       await new Promise((resolve) => setTimeout(resolve, Number(process.argv[3])));
       writeFileSync(folder + "/last", "");
     });`,
  );
  const run = async (name: string, waits: number, signals: number) => {
    const out = join(root, name);
    const child = spawn(process.execPath, ["--import", "tsx", script, out, String(waits)]);
    child.stdout.once("data", () => {
      for (let i = 0; i < signals; i++) setTimeout(() => child.kill("SIGINT"), 200 * i);
    });
    const end = await new Promise((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
    return [end, existsSync(join(out, "last"))];
  };
  expect(await run("once", 1000, 1)).toEqual([0, true]);
  expect(await run("twice", 60_000, 2)).toEqual(["SIGINT", false]);
});
