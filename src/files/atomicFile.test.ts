import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FileError } from "../base/errors.ts";
import { writeAtomically } from "./atomicFile.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fairlead-atomic-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("pieces are written one after another, in place of what was there", async () => {
  const path = join(folder, "file");
  writeFileSync(path, "something longer than the new content");
  await writeAtomically(path, [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]);
  expect([...readFileSync(path)]).toEqual([1, 2, 3]);
  expect(readdirSync(folder)).toEqual(["file"]);
});

test.skipIf(!existsSync("/dev/full"))(
  "on a full disk the old content stays and nothing is left behind",
  async () => {
    const path = join(folder, "file");
    writeFileSync(path, "old");
    symlinkSync("/dev/full", `${path}.tmp`); // every write to it fails as on a full disk
    const failed = writeAtomically(path, "new");
    await expect(failed).rejects.toThrow(FileError);
    await expect(failed).rejects.toThrow(
      /^disk full: .*file was not written and what was there before is untouched/,
    );
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["file"]);
  },
);

test("a missing folder and a folder in the file's place are named", async () => {
  await expect(writeAtomically(join(folder, "no", "file"), "x")).rejects.toThrow(
    /cannot write .*no such file or folder/,
  );
  mkdirSync(join(folder, "taken"));
  await expect(writeAtomically(join(folder, "taken"), "x")).rejects.toThrow(/cannot write .*taken/);
  expect(readdirSync(folder)).toEqual(["taken"]);
});
