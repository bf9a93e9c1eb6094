import { setTimeout as sleep } from "node:timers/promises";

/** One side of a comparison: does the work so many times and returns the milliseconds of each. */
export interface Contestant {
  readonly name: string;
  run(times: number): Promise<number[]>;
}

export interface Measured {
  readonly name: string;
  /** Milliseconds of every counted run, in the order they were made. */
  readonly milliseconds: readonly number[];
  readonly median: number;
  /** First and third quartile. */
  readonly quartiles: readonly [number, number];
}

/** The contestant that does `work` in this process. */
export function ours(name: string, work: () => unknown): Contestant {
  const run = async (times: number): Promise<number[]> => {
    const milliseconds: number[] = [];
    for (let i = 0; i < times; i++) {
      const start = performance.now();
      await work();
      milliseconds.push(performance.now() - start);
    }
    return milliseconds;
  };
  return { name, run };
}

/** Quantile by linear interpolation between the sorted values. q is in [0, 1]. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}

/**
 * Measures contestants in alternation: each runs `times` times, then the next, for so many rounds. What disturbs the
 * machine then disturbs all alike, and ratios mean something even where absolute times do not.
 *
 * `warmups` uncounted runs come first. Between turns all rest `pauseMs`, until the worker threads of the one before have
 * stopped spinning.
 */
export async function interleave(
  contestants: readonly Contestant[],
  { rounds = 7, times = 3, warmups = 2, pauseMs = 50 } = {},
): Promise<Measured[]> {
  for (const contestant of contestants) await contestant.run(warmups);
  const all = contestants.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      await sleep(pauseMs);
      all[index].push(...(await contestant.run(times)));
    }
  }
  return all.map((milliseconds, index) => ({
    name: contestants[index].name,
    milliseconds,
    median: quantile(milliseconds, 0.5),
    quartiles: [quantile(milliseconds, 0.25), quantile(milliseconds, 0.75)],
  }));
}

/** A table of medians; the last column is each median over that of the last contestant, the peer. */
export function table(title: string, results: readonly Measured[]): string {
  const peer = results[results.length - 1];
  const width = Math.max(...results.map(({ name }) => name.length));
  const rows = results.map(({ name, median, quartiles: [low, high], milliseconds }) =>
    [
      `  ${name.padEnd(width)}`,
      `${median.toFixed(1).padStart(9)} ms`,
      `(${low.toFixed(1)} - ${high.toFixed(1)}, n=${milliseconds.length})`.padEnd(28),
      `${(median / peer.median).toFixed(2)} x`,
    ].join("  "),
  );
  return [title, ...rows].join("\n");
}
