import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeProgram } from "../src/cli/program.ts";
import { samplerByName } from "../src/diffusion/samplers/index.ts";
import { buildGuidance } from "../src/guidance/build.ts";
import { methods } from "../src/guidance/methods.ts";
import { checkSampler } from "../src/models/sample.ts";
import { type Model, openModel } from "../src/models/model.ts";
import { readRecipe } from "../src/report/index.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { root } from "../scripts/docs/markdown.ts";
import { pages, stray } from "../scripts/docs/pages.ts";
import { isCurrent, picturePath } from "../scripts/docs/pictures.ts";
import { shownOf } from "../scripts/docs/shown.ts";

// What differs here was changed by hand or not made anew: npm run docs makes it.

const names = Object.keys(methods);
const made = await pages();
const read = (path: string): string => readFileSync(join(root, path), "utf8");

test.each([...made.keys()])("%s is what the catalogue makes of it (npm run docs)", (path) => {
  expect(existsSync(join(root, path))).toBe(true);
  expect(read(path)).toBe(made.get(path));
});

test("no page and no picture is left of a method that is not there (npm run docs)", async () => {
  expect(await stray()).toEqual([]);
});

test("every note is of a method", () => {
  const notes = readdirSync(join(root, "docs/guidance")).filter((file) => file.endsWith(".notes.md"));
  expect(notes.map((file) => file.replace(".notes.md", "")).filter((name) => !names.includes(name))).toEqual(
    [],
  );
});

describe("pictures", () => {
  test.each(names)("%s has one, made of what its page says (npm run docs)", async (name) => {
    const recipe = readRecipe(readFileSync(picturePath(name)))!;
    const { specs, model, seeds } = await shownOf(methods[name]);
    expect(recipe).toMatchObject({ guidance: specs.join(" | "), model, seeds });
    expect(await isCurrent(methods[name])).toBe(true);
  });

  test("take no more than 2 MB together", () => {
    const sizes = names.map((name) => statSync(picturePath(name)).size);
    expect(sizes.reduce((a, b) => a + b)).toBeLessThan(2e6);
  });
});

test("links lead to files that are there", () => {
  const folders = ["docs", "docs/guidance"].flatMap((folder) =>
    readdirSync(join(root, folder)).map((file) => join(folder, file)),
  );
  const broken = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", ...folders]
    .filter((path) => path.endsWith(".md"))
    .flatMap((path) =>
      [...read(path).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
        .filter(([, to]) => !existsSync(join(root, dirname(path), to)))
        .map(([, to]) => `${path}: ${to}`),
    );
  expect(broken).toEqual([]);
});

describe("commands in the pages", () => {
  const models = new Map<string, Model>();
  beforeAll(async () => {
    const runtime = nodeRuntime({ threads: 1 });
    for (const name of ["tree", "fashion-mnist"]) models.set(name, await openModel(runtime, name));
  });
  afterAll(async () => {
    for (const model of models.values()) await model.dispose();
  });

  /** What a command line asks for, read by the program itself; nothing is run. */
  async function asked(
    line: string,
  ): Promise<{ command: string; words: string[]; options: Record<string, unknown> }> {
    const nowhere = { write: () => true };
    const program = makeProgram({ stdout: nowhere, stderr: nowhere }, () => undefined);
    let got: Awaited<ReturnType<typeof asked>> | undefined;
    for (const command of program.commands) {
      command.action((...given: unknown[]) => {
        const [first, options] = given as [string | string[], Record<string, unknown>];
        got = { command: command.name(), words: [first].flat(), options };
      });
    }
    const argv = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare);
    await program.parseAsync(argv.slice(2), { from: "user" });
    return got!;
  }

  test.each(names)(
    "%s: each can be typed, and the model takes the guidance with that sampler",
    async (name) => {
      const lines = read(`docs/guidance/${name}.md`)
        .split("\n")
        .filter((line) => line.startsWith("npx fairlead "));
      expect(lines.length).toBeGreaterThanOrEqual(2);
      for (const line of lines) {
        const { command, words, options } = await asked(line);
        if (command === "explain") {
          const model = models.get("fashion-mnist")!;
          buildGuidance(words[0], await model.resourcesFor(words[0]));
        }
        if (command !== "compare") continue;
        const model = models.get(words[0])!;
        for (const spec of options.guidance as string[]) {
          const guidance = buildGuidance(spec, await model.resourcesFor(spec));
          const sampler = (options.sampler as string | undefined) ?? model.sampling.sampler;
          expect(() => checkSampler(guidance, samplerByName(sampler))).not.toThrow();
        }
      }
    },
  );
});
