import { expect, test } from "vitest";
import { interleave, ours, quantile, table } from "../bench/lib/interleave.ts";

test("a quantile interpolates between the sorted values", () => {
  expect([0, 0.25, 0.5, 1].map((q) => quantile([4, 1, 3, 2], q))).toEqual([1, 1.75, 2.5, 4]);
  expect(quantile([7], 0.25)).toBe(7);
});

test("contestants take turns, and warm-ups are not counted", async () => {
  const turns: string[] = [];
  const contestant = (name: string, ms: number) => ({
    name,
    run: async (times: number) => {
      turns.push(`${name}${times}`);
      return Array.from({ length: times }, () => ms);
    },
  });
  const results = await interleave([contestant("a", 3), contestant("b", 2)], {
    rounds: 2,
    times: 4,
    warmups: 1,
    pauseMs: 0,
  });
  expect(turns).toEqual(["a1", "b1", "a4", "b4", "a4", "b4"]);
  expect(results.map(({ median, milliseconds }) => [median, milliseconds.length])).toEqual([
    [3, 8],
    [2, 8],
  ]);
  expect(table("title", results)).toContain("1.50 x");
});

test("our own work is awaited and timed once a run", async () => {
  let runs = 0;
  const contestant = ours("work", async () => {
    await Promise.resolve();
    runs++;
  });
  expect(await contestant.run(3)).toHaveLength(3);
  expect(runs).toBe(3);
});
