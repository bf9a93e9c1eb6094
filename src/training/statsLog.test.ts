import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { appendStats, truncateStats } from "./statsLog.ts";
import { addToWindow, windowMeans } from "./statsWindow.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fairlead-stats-"));
  path = join(folder, "stats.jsonl");
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("cutting keeps the lines up to the step and drops later and half-written ones", async () => {
  for (const step of [10, 20, 30]) await appendStats(path, { step, note: "äöü" });
  writeFileSync(path, '{"step":4', { flag: "a" });
  const line = (step: number): string => `{"step":${step},"note":"äöü"}\n`;
  await truncateStats(path, 40);
  expect(readFileSync(path, "utf8")).toBe(line(10) + line(20) + line(30));
  await truncateStats(path, 29);
  expect(readFileSync(path, "utf8")).toBe(line(10) + line(20));
  await truncateStats(path, 20);
  expect(readFileSync(path, "utf8")).toBe(line(10) + line(20));
  await truncateStats(path, 0);
  expect(readFileSync(path, "utf8")).toBe("");
});

test("a log that does not exist yet stays so", async () => {
  await truncateStats(path, 5);
  expect(existsSync(path)).toBe(false);
});

test("a window's means are sums over steps", () => {
  const empty = { steps: 0, sums: {} };
  const window = [1, 2, 6].reduce((sums, loss) => addToWindow(sums, { loss, half: loss / 2 }), empty);
  expect(windowMeans(window)).toEqual({ loss: 3, half: 1.5 });
});
