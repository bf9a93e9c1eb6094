import { UsageError } from "../base/errors.ts";

const most = 1_000_000;

/**
 * The seeds that a text means, in its order: "7", "0-15" (both ends included), "1,5,9", "0-3,8".
 * Throws UsageError for anything else, for a seed given twice, and for more than a million.
 */
export function parseSeeds(text: string): number[] {
  const seeds = text.split(",").flatMap((part) => range(part.trim(), text));
  if (seeds.length > most) throw tooMany(text);
  const seen = new Set<number>();
  for (const seed of seeds) {
    if (seen.has(seed)) throw new UsageError(`--seeds ${text} gives ${seed} twice: give each seed once`);
    seen.add(seed);
  }
  return seeds;
}

/** The shortest text that `parseSeeds` reads as these seeds: [0, 1, 2, 8] -> "0-2,8". */
export function formatSeeds(seeds: readonly number[]): string {
  const parts: string[] = [];
  for (let start = 0; start < seeds.length;) {
    let end = start;
    while (end + 1 < seeds.length && seeds[end + 1] === seeds[end] + 1) end++;
    parts.push(end === start ? `${seeds[start]}` : `${seeds[start]}-${seeds[end]}`);
    start = end + 1;
  }
  return parts.join(",");
}

function range(part: string, whole: string): number[] {
  const match = /^(\d+)(?:-(\d+))?$/.exec(part);
  const [first, last] = match ? [Number(match[1]), Number(match[2] ?? match[1])] : [NaN, NaN];
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || last < first) {
    throw new UsageError(`--seeds wants whole numbers such as 0-15 or 1,5,9, got "${whole}"`);
  }
  if (last - first >= most) throw tooMany(whole);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function tooMany(text: string): UsageError {
  return new UsageError(`--seeds ${text} asks for more than a million seeds: sample in several runs`);
}
