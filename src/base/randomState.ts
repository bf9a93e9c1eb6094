/**
 * numpy's legacy generator `numpy.random.RandomState(seed)`: MT19937 (Matsumoto and Nishimura 1998) and the polar
 * method. Papers that fix their data by a numpy seed (the autoguidance tree) need exactly these numbers.
 */
import { UsageError } from "./errors.ts";

export interface RandomState {
  /** The next 32-bit word. */
  word(): number;
  /** numpy's random_sample(): a double in [0, 1) of 53 bits, (a 2^26 + b) / 2^53 with a = word >> 5, b = word >> 6. */
  random(): number;
  /** numpy's randn(): polar method on x1, x2 = 2 random() - 1 with s = x1^2 + x2^2 in (0, 1); f x2 now, f x1 next. */
  randn(): number;
}

const SIZE = 624;
const SHIFT = 397;

/** The generator numpy.random.RandomState(seed). Throws UsageError unless seed is an integer 0 .. 2^32 - 1. */
export function numpyRandomState(seed: number): RandomState {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new UsageError(`a RandomState seed is an integer from 0 to 2^32 - 1, got ${seed}`);
  }
  const state = new Uint32Array(SIZE);
  state[0] = seed;
  for (let i = 1; i < SIZE; i++) {
    state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  }
  let used = SIZE;
  let spare = NaN; // the second normal of a pair, NaN when there is none

  function word(): number {
    if (used === SIZE) {
      twist(state);
      used = 0;
    }
    let y = state[used++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

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

function twist(state: Uint32Array): void {
  for (let i = 0; i < SIZE; i++) {
    const y = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
    state[i] = state[(i + SHIFT) % SIZE] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}
