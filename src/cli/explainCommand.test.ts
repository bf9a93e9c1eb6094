import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Explanation } from "../guidance/explanation.ts";
import { saveTinyModel } from "../testing/tinyModel.ts";
import { runCli } from "./run.ts";

let root: string;
let model: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "fairlead-explain-"));
  model = join(root, "tiny.safetensors");
  await saveTinyModel(model);
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function run(...argv: string[]) {
  const written = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({ write: (text: string) => (written[name] += text) });
  const code = await runCli(argv, { stdout: stream("out"), stderr: stream("err") });
  return { code, ...written };
}

const json = async (...argv: string[]): Promise<Explanation> =>
  JSON.parse((await run("explain", ...argv, "--json")).out) as Explanation;

describe("explain", () => {
  test("takes a weight a sample, with a model as without", async () => {
    for (const given of [[], ["--model", model]]) {
      const { code, err, out } = await run("explain", "cfg:rows(1|2|4)", ...given);
      expect([code, err]).toEqual([0, ""]);
      expect(out).toContain("cfg:rows(1|2|4)");
    }
  });

  test("tells ranges, predictions, formulas and the order", async () => {
    const { code, out } = await run("explain", "cfg:4,interval=0.2..2+pag:3~apg");
    expect(code).toBe(0);
    for (const line of [
      "sigma > 2: 2 network evaluations",
      "0.2 < sigma <= 2: 3 network evaluations",
      "0 < sigma <= 0.2: 2 network evaluations",
      "D = D(x; null) + 4*(D(x; condition) - D(x; null))",
      "cfg acts where 0.2 < sigma <= 2",
      "Order:",
    ]) {
      expect(out).toContain(line);
    }
    expect(out).not.toContain("A run of");
  });

  test("of a run is what fairlead sample then counts", async () => {
    const spec = "cfg:2,interval=0.3..4+pag:1";
    const asked = ["--sampler", "heun", "--steps", "3"];
    const { run: predicted } = await json(spec, "--model", model, ...asked);
    const folder = join(root, "sampled");
    const sampled = await run(
      ...[
        "sample",
        model,
        "--guidance",
        spec,
        "--seeds",
        "0",
        "--out",
        folder,
        "--quiet",
        "--json",
        ...asked,
      ],
    );
    const { evaluations } = JSON.parse(sampled.out) as { evaluations: unknown };
    expect(predicted!.cost).toEqual(evaluations);
  });

  test("with a model tells what its network computes for branches that share their beginning", async () => {
    const { ranges } = await json("pag:1", "--model", model);
    expect(ranges[0].cost.networks).toBe(2);
    const [{ network, evaluations }] = ranges[0].work!;
    expect(network).toBe("the network");
    expect(evaluations).toBeGreaterThan(1);
    expect(evaluations).toBeLessThan(2);
    const { out } = await run("explain", "pag:1", "--model", model);
    expect(out).toMatch(/computed together: 1\.\d+ plain evaluations of the network/);
  });

  test("without a model and with --steps takes the usual noise levels", async () => {
    const { run: total } = await json("cfg:2", "--steps", "4");
    expect(total).toEqual({ steps: 4, visits: 7, cost: { networks: 14, gradients: 0 }, atMost: false });
    const { out } = await run("explain", "none", "--sampler", "dpm-adaptive");
    expect(out).toContain("the sampler decides by itself");
  });

  test.each<[string[], RegExp]>([
    [["cgf:2"], /unknown guidance method "cgf"; known: none, cfg/],
    [["cfg:wieght=2"], /cfg has no option "wieght"; options of cfg: weight, interval/],
    [["cfg:2", "--sampler", "huen"], /no sampler is called "huen"; there are: ddpm/],
    [["cfg:2", "--steps", "0"], /--steps wants a whole number from 1 to 100000, got "0"/],
    [["cfg:2", "--model", "nowhere"], /there is no model "nowhere"/],
    [["cfgpp:0.6", "--sampler", "heun"], /which the sampler heun cannot: use ddim, euler/],
    [["cfg:2", "--step", "3"], /unknown option '--step' \(Did you mean --steps\?\); fairlead explain --help/],
    [[], /missing required argument 'spec'/],
  ])("refuses %j in one sentence", async (argv, message) => {
    const { code, out, err } = await run("explain", ...argv);
    expect([code, out]).toEqual([2, ""]);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect(err).toMatch(message);
  });

  test("refuses what the model lacks", async () => {
    const { code, err } = await run("explain", "autoguidance:2", "--model", model);
    expect(code).toBe(2);
    expect(err).toMatch(/autoguidance needs a guide/);
  });
});
