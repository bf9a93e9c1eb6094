import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withOutFolder } from "./outFolder.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "fairlead-out-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

test("without a name, the first number that is free", async () => {
  const stem = join(root, "run");
  const write = (folder: string): Promise<void> => writeFile(join(folder, "a"), "");
  await withOutFolder({ stem }, write);
  await mkdir(`${stem}-2`);
  await withOutFolder({ stem }, write);
  expect((await readdir(root)).sort()).toEqual(["run-1", "run-2", "run-3"]);
  expect(await readdir(`${stem}-2`)).toEqual([]);
});

test("a folder that holds something is refused before any work, unless it may be written into", async () => {
  const out = join(root, "full");
  await mkdir(out);
  await writeFile(join(out, "thesis.txt"), "years of work");
  const work = () => expect.unreachable("no work on a folder that is refused");
  await expect(withOutFolder({ out, stem: "x" }, work)).rejects.toThrow(
    `the folder ${out} exists and is not empty: give another --out`,
  );
  await withOutFolder({ out, overwrite: true, stem: "x" }, (folder) => writeFile(join(folder, "b"), ""));
  expect((await readdir(out)).sort()).toEqual(["b", "thesis.txt"]);
});

test("a file in its place is refused", async () => {
  const out = join(root, "file");
  await writeFile(out, "");
  await expect(withOutFolder({ out, stem: "x" }, () => Promise.resolve())).rejects.toThrow(
    `${out} is a file`,
  );
});

test("a folder made for work that fails goes again while it is empty, and stays when it is not", async () => {
  const failing = (folder: string, file?: string) =>
    withOutFolder({ out: folder, stem: "x" }, async () => {
      if (file) await writeFile(join(folder, file), "");
      throw new Error("no");
    });
  await expect(failing(join(root, "empty"))).rejects.toThrow("no");
  await expect(failing(join(root, "partly"), "a")).rejects.toThrow("no");
  await mkdir(join(root, "before"));
  await expect(failing(join(root, "before"))).rejects.toThrow("no");
  expect((await readdir(root)).sort()).toEqual(["before", "partly"]);
});
