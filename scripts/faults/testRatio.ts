import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Lines of tests and of source of a folder. */
export interface Ratio {
  readonly folder: string;
  readonly tests: number;
  readonly source: number;
}

/**
 * Counts lines that are neither blank nor comments: of `*.test.ts` and `*.cases.ts` in the folder and of files elsewhere that are tests of
 * it, and of the rest of the folder.
 */
export function testRatio(root: string, folder: string, elsewhere: readonly string[] = []): Ratio {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => `${folder}/${file}`);
  const isTest = (file: string): boolean => /\.(test|cases)\.ts$/.test(file);
  const lines = (of: readonly string[]): number =>
    of.reduce((sum, file) => sum + linesOf(readFileSync(join(root, file), "utf8")), 0);
  return {
    folder,
    tests: lines([...files.filter(isTest), ...elsewhere]),
    source: lines(files.filter((file) => !isTest(file))),
  };
}

const linesOf = (text: string): number =>
  text
    .replace(/\/\*[^]*?\*\//g, "")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.trim().startsWith("//")).length;
