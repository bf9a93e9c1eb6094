import { expect, test } from "vitest";
import type { ProgressOptions } from "./progress.ts";
import { createProgress } from "./progress.ts";

function harness(options: Partial<ProgressOptions> & { columns?: number } = {}) {
  const written: string[] = [];
  const clock = { seconds: 1000 };
  const progress = createProgress({
    total: 200,
    unit: "img",
    label: "training",
    stream: { write: (text) => written.push(text), columns: options.columns },
    isTTY: true,
    now: () => clock.seconds,
    ...options,
  });
  return { written, clock, progress };
}

test("the ETA is what remains over the mean rate", () => {
  const { written, clock, progress } = harness();
  clock.seconds += 10;
  progress.update(50, "loss 0.031");
  // 50 in 10 s is 5 a second; 150 remain: 30 s.
  expect(written).toEqual(["\r\u001b[2Ktraining 25 %  50/200 img · 5.00 img/s · 30 s left · loss 0.031"]);
});

test("work done before a resume counts in the share and not in the rate", () => {
  const { written, clock, progress } = harness({ from: 100 });
  clock.seconds += 10;
  progress.update(120);
  // 20 in 10 s is 2 a second; 80 remain: 40 s.
  expect(written).toEqual(["\r\u001b[2Ktraining 60 %  120/200 img · 2.00 img/s · 40 s left"]);
});

test("a terminal is redrawn at most ten times a second, and the end always shows", () => {
  const { written, clock, progress } = harness();
  for (let i = 1; i <= 100; i++) {
    clock.seconds += 0.01;
    progress.update(2 * i);
  }
  expect(written.length).toBeLessThanOrEqual(11);
  expect(written.every((text) => text.startsWith("\r\u001b[2K") && !text.includes("\n"))).toBe(true);
  progress.done();
  progress.done();
  progress.update(3);
  expect(written.at(-1)).toBe("\r\u001b[2Ktraining  200 img in 1.0 s (200 img/s)\n");
  expect(written.filter((text) => text.endsWith("\n"))).toHaveLength(1);
});

test("a log gets a plain line about every ten seconds and one at the end", () => {
  const { written, clock, progress } = harness({ isTTY: false, total: 60 });
  for (let i = 1; i <= 60; i++) {
    clock.seconds += 0.5;
    progress.update(i);
  }
  progress.done();
  expect(written).toEqual([
    "training 33 %  20/60 img · 2.00 img/s · 20 s left\n",
    "training 66 %  40/60 img · 2.00 img/s · 10 s left\n",
    "training 100 %  60/60 img · 2.00 img/s · 0 ms left\n",
    "training  60 img in 30 s (2.00 img/s)\n",
  ]);
});

test("an unknown total shows neither share nor ETA", () => {
  const { written, clock, progress } = harness({ total: null });
  clock.seconds += 2;
  progress.update(3000);
  expect(written).toEqual(["\r\u001b[2Ktraining  3,000 img · 1,500 img/s"]);
});

test("a silent progress writes nothing", () => {
  const { written, clock, progress } = harness({ silent: true });
  clock.seconds += 60;
  progress.update(10);
  progress.note("saved");
  progress.done();
  expect(written).toEqual([]);
});

test("a note stands on its own line and the progress line comes back under it", () => {
  const { written, clock, progress } = harness();
  clock.seconds += 10;
  progress.update(50);
  progress.note("saved checkpoint");
  expect(written.slice(1)).toEqual(["\r\u001b[2Ksaved checkpoint\n", written[0]]);
});

test("the line is cut to the terminal's width", () => {
  const { written, clock, progress } = harness({ columns: 20 });
  clock.seconds += 10;
  progress.update(50);
  expect(written).toEqual(["\r\u001b[2Ktraining 25 %  50/…"]);
});
