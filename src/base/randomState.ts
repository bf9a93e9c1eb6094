/**
 * numpy's legacy generator `numpy.random.RandomState(seed)`: MT19937 (Matsumoto and Nishimura 1998) and the polar
 * method. Papers that fix their data by a numpy seed (the autoguidance tree) need exactly these numbers.
 */
import { UsageError } from "./errors.ts";
import { mt19937 } from "./mt19937.ts";

export interface RandomState {
  /** The next 32-bit word. */
  word(): number;
  /** numpy's random_sample(): a double in [0, 1) of 53 bits, (a 2^26 + b) / 2^53 with a = word >> 5, b = word >> 6. */
  random(): number;
  /** numpy's randn(): polar method on x1, x2 = 2 random() - 1 with s = x1^2 + x2^2 in (0, 1); f x2 now, f x1 next. */
  randn(): number;
}

/** The generator numpy.random.RandomState(seed). Throws UsageError unless seed is an integer 0 .. 2^32 - 1, or a list of some. */
export function numpyRandomState(seed: number | readonly number[]): RandomState {
  const words = [seed].flat() as readonly number[];
  if (
    words.length === 0 ||
    !words.every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffffffff)
  ) {
    throw new UsageError(
      `a RandomState seed is an integer from 0 to 2^32 - 1, or a list of them, got ${words.length === 0 ? "[]" : String(seed)}`,
    );
  }
  const word = mt19937(seed);
  let spare = NaN; // the second normal of a pair, NaN when there is none

  function random(): number {
    const a = word() >>> 5;
    const b = word() >>> 6;
    return (a * 67108864 + b) / 9007199254740992;
  }

  function randn(): number {
    if (!Number.isNaN(spare)) {
      const value = spare;
      spare = NaN;
      return value;
    }
    for (;;) {
      const x1 = 2 * random() - 1;
      const x2 = 2 * random() - 1;
      const s = x1 * x1 + x2 * x2;
      if (s >= 1 || s === 0) continue;
      const f = Math.sqrt((-2 * Math.log(s)) / s);
      spare = f * x1;
      return f * x2;
    }
  }

  return { word, random, randn };
}
