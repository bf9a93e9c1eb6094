import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodePng, readRecipe } from "../report/png.ts";
import { saveTinyModel, tinyConfig } from "../testing/tinyModel.ts";
import { runCli } from "./run.ts";

let root: string;
let model: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "fairlead-cli-"));
  model = join(root, "tiny.safetensors");
  await saveTinyModel(model);
});
afterAll(() => rm(root, { recursive: true, force: true }));

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(...argv: string[]): Promise<Ran> {
  const written = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({ write: (text: string) => (written[name] += text) });
  const code = await runCli(argv, { stdout: stream("out"), stderr: stream("err") });
  return { code, ...written };
}

/** `fairlead sample` of the tiny model in 2 steps, into a folder of the given name. */
async function sample(name: string, ...more: string[]): Promise<Ran> {
  const fast = ["--steps", "2", "--seeds", "0-2", "--threads", "1", "--quiet"];
  return run("sample", model, ...fast, "--out", join(root, name), ...more);
}

/** The one sentence of an error; nothing may stand on standard output. */
function sentence({ out, err }: Ran): string {
  expect(out).toBe("");
  expect(err.trimEnd().split("\n")).toHaveLength(1);
  return err.trim();
}

describe("help", () => {
  test("of every command has its options and two examples", async () => {
    for (const command of [
      "train",
      "sample",
      "compare",
      "inspect",
      "rewrite",
      "methods",
      "explain",
      "models",
    ]) {
      const { code, out } = await run(command, "--help");
      expect(code).toBe(0);
      expect(out.split("Examples:")[1].trim().split("\n")).toHaveLength(2);
    }
    expect((await run()).out).toContain("Commands:");
    expect((await run("--version")).out.trim()).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test("of train lists every preset, of sample every sampler and method", async () => {
    expect((await run("train", "--help")).out).toContain("fashion-mnist-noisy-classifier");
    const { out } = await run("sample", "--help");
    for (const name of ["dpmpp-2m", "euler-ancestral", "autoguidance", "pag"]) expect(out).toContain(name);
  });
});

describe("sample", () => {
  test("writes a picture a seed and a grid, each with the recipe that repeats it bit for bit", async () => {
    const first = await sample("first", "--guidance", "cfg:2+pag:1", "--sampler-option", "churn=1", "--json");
    expect(first.code).toBe(0);
    const { files, out, evaluations } = JSON.parse(first.out) as Record<string, unknown>;
    expect(files).toEqual(["seed-0.png", "seed-1.png", "seed-2.png", "grid.png"]);
    expect(evaluations).toEqual({ networks: 9, gradients: 0 });

    const bytes = await readFile(join(String(out), "seed-2.png"));
    const recipe = readRecipe(bytes)!;
    expect(recipe).toMatchObject({
      model,
      guidance: "cfg:2+pag:1",
      seeds: [2],
      label: [2],
      sampler: "heun",
      steps: 2,
    });
    expect(recipe.samplerOptions).toEqual({ churn: 1 });
    expect((recipe.files as Record<string, string>).network).toMatch(/^[0-9a-f]{64}$/);

    const again = await run("sample", "--from", join(root, "first/seed-2.png"), "--out", join(root, "again"));
    expect(again.code).toBe(0);
    const repeated = decodePng(await readFile(join(root, "again/seed-2.png")));
    expect(repeated.data).toEqual(decodePng(bytes).data);
  });

  test("a scheduler's config that cannot be read is named", async () => {
    const config = join(root, "broken_config.json");
    await writeFile(config, "{");
    const { code, err } = await run("sample", model, "--scheduler", config);
    expect([code, err]).toEqual([
      1,
      `fairlead: ${config}: the scheduler's config is not JSON: give a scheduler_config.json\n`,
    ]);
  });

  test("a schedule, and a scheduler's config with its text, are in the recipe and repeat bit for bit", async () => {
    const config = join(root, "scheduler_config.json");
    const text = JSON.stringify({ _class_name: "UniPCMultistepScheduler", use_karras_sigmas: true });
    await writeFile(config, text);
    for (const [name, ...more] of [
      ["schedule", "--schedule", "flow:shift=3"],
      ["scheduler", "--scheduler", config],
    ]) {
      const { out } = await sample(name, "--json", "--steps", "4", ...more);
      const { recipe } = JSON.parse(out) as { recipe: Record<string, unknown> };
      expect(recipe).toMatchObject(
        name === "schedule"
          ? { sampler: "heun", schedule: "flow:shift=3" }
          : { sampler: "unipc", scheduler: text },
      );
      const picture = join(root, name, "seed-1.png");
      await run("sample", "--from", picture, "--out", join(root, `${name}-again`));
      const [one, other] = [picture, join(root, `${name}-again/seed-1.png`)].map(async (path) =>
        decodePng(await readFile(path)),
      );
      expect((await other).data).toEqual((await one).data);
      await sample(`${name}-plain`, "--steps", "4");
      const plain = decodePng(await readFile(join(root, `${name}-plain/seed-1.png`)));
      expect((await one).data).not.toEqual(plain.data);
    }
  });

  test("--label none leaves the condition out, a name or an index takes one class", async () => {
    const labels = async (...more: string[]) => {
      const { out } = await sample(`label${more.join("")}`, "--json", ...more);
      return (JSON.parse(out) as { recipe: { label: unknown } }).recipe.label;
    };
    expect(await labels()).toEqual([0, 1, 2]);
    expect(await labels("--label", "1")).toEqual([1, 1, 1]);
    expect(await labels("--label", "none")).toBeNull();
  });

  test("does not repeat a picture with another network, nor one without a recipe", async () => {
    await sample("made");
    const other = join(root, "other.safetensors");
    await saveTinyModel(other, 1);
    const refused = await run("sample", other, "--from", join(root, "made/seed-1.png"));
    expect(refused.code).toBe(1);
    expect(sentence(refused)).toMatch(/the network of .* is not the one that made the picture/);

    const extra = await run("sample", "--from", join(root, "made/seed-1.png"), "--steps", "3");
    expect(extra.code).toBe(2);
    expect(sentence(extra)).toContain("leave out --steps");

    const none = await run("sample", "--from", model);
    expect(none.code).toBe(1);
    expect(sentence(none)).toContain("is not a PNG file or is damaged");
  });

  test("refuses a folder that holds something, and says how to write there all the same", async () => {
    await sample("full");
    await writeFile(join(root, "full/notes.txt"), "mine");
    const refused = await sample("full");
    expect(refused.code).toBe(2);
    expect(sentence(refused)).toContain("exists and is not empty: give another --out, or --overwrite");
    expect((await sample("full", "--overwrite")).code).toBe(0);
    expect(await readFile(join(root, "full/notes.txt"), "utf8")).toBe("mine");
    expect(await readdir(join(root, "full"))).toHaveLength(5);
  });
});

describe("compare", () => {
  const fast = ["--steps", "2", "--seeds", "0-2", "--threads", "1", "--quiet"];

  test("writes a page, results and a grid a method, which sample --from repeats", async () => {
    const out = join(root, "compared");
    const ran = await run(
      "compare",
      model,
      "--guidance",
      "none",
      "cfg:2",
      "classifier:1",
      ...fast,
      "--out",
      out,
      "--json",
    );
    expect(ran.code).toBe(0);
    const { command, models } = JSON.parse(ran.out) as {
      command: string;
      models: { methods: { guidance: string; skipped?: string; evaluations?: { networks: number } }[] }[];
    };
    expect(command).toBe(
      `fairlead compare ${model} --guidance none cfg:2 classifier:1 --seeds 0-2 --steps 2`,
    );
    const [none, cfg, classifier] = models[0].methods;
    expect([none.evaluations?.networks, cfg.evaluations?.networks]).toEqual([3, 6]);
    expect(classifier.skipped).toContain("classifier guidance needs a classifier");
    expect(await readdir(out)).toEqual([
      "index.html",
      "results.json",
      "tiny-cfg-2.png",
      "tiny-none.png",
      "tiny.png",
    ]);

    const again = join(root, "one");
    const picture = join(out, "tiny-cfg-2.png");
    const repeated = await run("sample", model, "--from", picture, "--out", again, "--json", "--quiet");
    expect((JSON.parse(repeated.out) as { recipe: object }).recipe).toMatchObject({
      guidance: "cfg:2",
      label: [0, 1, 2],
    });
  });

  test("prints a table and where the page is", async () => {
    const out = join(root, "printed");
    const ran = await run("compare", model, "--guidance", "none", ...fast, "--out", out);
    expect(ran.out).toMatch(/guidance +evaluations/);
    expect(ran.out).toContain(`pictures and tables: ${join(out, "index.html")}`);
  });

  test("on equal terms takes other steps, or other strengths, which results and pictures say", async () => {
    const specs = ["--guidance", "none", "cfg:2"];
    const byCost = await run(
      ...["compare", model, ...specs, ...fast, "--sampler", "euler", "--match", "evaluations"],
      ...["--match-to", "6", "--out", join(root, "by-cost"), "--json"],
    );
    interface Result {
      command: string;
      models: {
        matching: object;
        methods: { guidance: string; matched: { steps: number; got: number } }[];
      }[];
    }
    const cost = JSON.parse(byCost.out) as Result;
    expect(cost.command).toContain("--match evaluations --match-to 6");
    expect(cost.models[0].matching).toEqual({ by: "evaluations", wanted: 6, reference: null });
    expect(cost.models[0].methods.map(({ matched }) => [matched.steps, matched.got])).toEqual([
      [6, 6],
      [3, 6],
    ]);
    const recipe = readRecipe(await readFile(join(root, "by-cost/tiny-cfg-2.png")))!;
    expect(recipe.steps).toBe(3);
    expect(recipe.sigmas).toHaveLength(4);

    const byWeight = await run(
      ...["compare", model, ...specs, ...fast, "--match", "effective-weight", "--match-to", "1.5"],
      ...["--out", join(root, "by-weight")],
    );
    expect(byWeight.code).toBe(0);
    expect(byWeight.out).toMatch(/cfg:1\.5 +cfg:2 +1\.500/);
    expect(byWeight.out).toContain("Matched by effective weight");
    expect(await readFile(join(root, "by-weight/index.html"), "utf8")).toContain(
      "Matched by effective weight",
    );
  });

  test("says what is wrong before the first sample, and leaves no folder", async () => {
    const cases: [string[], RegExp][] = [
      [["--guidance", "cfg:2", "cgf:2"], /unknown guidance method "cgf"/],
      [["--guidance", "none", "--label", "Sandal"], /has no class "Sandal"/],
      [["--guidance", "none", "--sampler", "huen"], /no sampler is called "huen"/],
      [
        ["--guidance", "none", "--match", "cost"],
        /--match wants evaluations or effective-weight, got "cost"/,
      ],
      [["--guidance", "none", "--match-to", "3"], /--match-to says what --match is to hold equal/],
      [["--guidance", "none", "--match", "effective-weight"], /none of the methods .* such as cfg:2/],
      [["--guidance", "none", "--samples", "1"], /--samples wants a whole number from 2 to 1000000/],
      [[], /names nothing to compare: give --guidance/],
    ];
    for (const [more, want] of cases) {
      const ran = await run("compare", model, ...fast, "--out", join(root, "none"), ...more);
      expect(ran.code).toBe(2);
      expect(sentence(ran)).toMatch(want);
    }
    expect(await readdir(root)).not.toContain("none");
  });
});

describe("wrong usage ends with 2, one sentence, and no folder", () => {
  const cases: [string, string[], RegExp][] = [
    ["a label", ["--label", "Sandal"], /has no class "Sandal"; its classes are 0 0, 1 1, 2 2/],
    ["a negative sigma", ["--sigma-min", "-1"], /--sigma-min wants a number above 0, got "-1"/],
    ["sigmas the wrong way round", ["--sigma-min", "90"], /0 < min < max, got min 90 and max 80/],
    ["a method", ["--guidance", "cgf:2"], /unknown guidance method "cgf"; known: none, cfg, pag/],
    [
      "a method's key",
      ["--guidance", "cfg:wieght=2"],
      /cfg has no option "wieght"; options of cfg: weight, interval/,
    ],
    ["a method that the model cannot take", ["--guidance", "autoguidance:2"], /autoguidance needs a guide/],
    ["a sampler", ["--sampler", "huen"], /no sampler is called "huen"; there are: ddpm/],
    ["a schedule", ["--schedule", "karas"], /no schedule is called "karas"; there are: karras, exponential/],
    [
      "a schedule's option",
      ["--schedule", "flow:shfit=3"],
      /schedule flow has no option "shfit"; it has: shift/,
    ],
    [
      "a scheduler's config beside a sampler",
      ["--scheduler", "scheduler_config.json", "--sampler", "heun"],
      /--scheduler chooses the sampler and the noise levels: leave out --sampler/,
    ],
    ["a sampler's option", ["--sampler-option", "chrun=1"], /sampler heun has no option "chrun"/],
    [
      "an option",
      ["--step", "3"],
      /unknown option '--step' \(Did you mean --steps\?\); fairlead sample --help/,
    ],
    ["seeds", ["--seeds", "5-1"], /--seeds wants whole numbers/],
  ];
  test.each(cases)("%s", async (_, more, want) => {
    const ran = await sample("wrong", ...more);
    expect(ran.code).toBe(2);
    expect(sentence(ran)).toMatch(want);
    expect(await readdir(root)).not.toContain("wrong");
  });

  test("commands, models, methods, presets and settings", async () => {
    const config = join(root, "half.json");
    await writeFile(config, '{"network": ');
    const asked: [string[], RegExp][] = [
      [["smaple"], /unknown command 'smaple' \(Did you mean sample\?\); fairlead --help/],
      [["sample"], /sample wants a model/],
      [["sample", "nowhere"], /there is no model "nowhere"/],
      [["sample", "a", "b"], /too many arguments/],
      [["methods", "cgf"], /there is no guidance method "cgf"; there are cfg, pag/],
      [["train"], /missing required argument/],
      [["train", "tre"], /there is no preset or file "tre"; presets are fashion-mnist/],
      [["train", config], /is not a JSON object with network, objective, data and training/],
      [["train", "tree", "--set", "training.batchSize"], /--set wants key=value/],
      [
        ["train", "tree", "--set", "training.batchsize=3"],
        /training: unknown key "batchsize"; known are seed/,
      ],
      [["train", "tree", "--set", "training.images=-5"], /training\.images: .*, got -5/],
      [["train", "tree", "--threads", "none"], /--threads wants a whole number from 1 to 1024, got "none"/],
    ];
    for (const [argv, want] of asked) {
      const ran = await run(...argv);
      expect(ran.code).toBe(2);
      expect(sentence(ran)).toMatch(want);
    }
  });
});

describe("damaged files end with 1 and one sentence", () => {
  test("a truncated checkpoint", async () => {
    const path = join(root, "cut.safetensors");
    const whole = await readFile(model);
    await writeFile(path, whole.subarray(0, whole.length - 100));
    const ran = await run("sample", path);
    expect(ran.code).toBe(1);
    expect(sentence(ran)).toContain(path);
  });

  test("a checkpoint of another network", async () => {
    const path = join(root, "mixed.safetensors");
    await saveTinyModel(path, 0, tinyConfig({ features: [16] }));
    const ran = await run("sample", path);
    expect(ran.code).toBe(1);
    expect(sentence(ran)).toContain("of another network");
  });

  test("an IDX file with a wrong magic number", async () => {
    for (const name of ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]) {
      await writeFile(join(root, name), new Uint8Array(64));
    }
    const out = join(root, "idx");
    const ran = await run("train", "fashion-mnist", "--data", root, "--out", out);
    expect(ran.code).toBe(1);
    expect(sentence(ran)).toMatch(/wanted the IDX magic number 0x00000803 .*, got 0x00000000/);
    expect(await readdir(root)).not.toContain("idx");
  });
});

test("methods and models print one JSON value each with --json", async () => {
  const methods = JSON.parse((await run("methods", "--json")).out) as { name: string }[];
  expect(methods.map(({ name }) => name)).toContain("cfg");
  const pag = JSON.parse((await run("methods", "pag", "--json")).out) as { options: { name: string }[] };
  expect(pag.options.map(({ name }) => name)).toContain("layers");
  expect(await run("samplers", "huen")).toMatchObject({ code: 2, out: "" });
  const samplers = JSON.parse((await run("samplers", "--json")).out) as {
    name: string;
    evaluations: string;
  }[];
  expect(samplers.find(({ name }) => name === "heun")!.evaluations).toBe("2N - 1");
  expect((await run("samplers", "euler")).out).toContain("churn: total noise added");
  const [tiny] = JSON.parse((await run("models", model, "--json")).out) as {
    networks: { parameters: number }[];
  }[];
  expect(tiny.networks[0].parameters).toBeGreaterThan(1000);
});
