/**
 * MT19937 (Matsumoto and Nishimura 1998): what the generators of torch, numpy's RandomState and Python are made of. A seed is one word, or
 * a list of words mixed into the state one after the other (their init_by_array).
 */

const SIZE = 624;
const SHIFT = 397;

/** The 32-bit words of the generator seeded with `seed` (the low 32 bits of each word count), one a call. A list has at least one. */
export function mt19937(seed: number | readonly number[]): () => number {
  const state = typeof seed === "number" ? seeded(seed) : seededByList(seed);
  let used = SIZE;
  return () => {
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
  };
}

function seeded(word: number): Uint32Array {
  const state = new Uint32Array(SIZE);
  state[0] = word;
  for (let i = 1; i < SIZE; i++) state[i] = Math.imul(1812433253, mixed(state[i - 1])) + i;
  return state;
}

function seededByList(words: readonly number[]): Uint32Array {
  const state = seeded(19650218);
  let i = 1;
  const next = (): void => {
    if (++i < SIZE) return;
    state[0] = state[SIZE - 1];
    i = 1;
  };
  for (let k = 0; k < Math.max(SIZE, words.length); k++, next()) {
    const j = k % words.length;
    state[i] = (state[i] ^ Math.imul(1664525, mixed(state[i - 1]))) + words[j] + j;
  }
  for (let k = 1; k < SIZE; k++, next()) {
    state[i] = (state[i] ^ Math.imul(1566083941, mixed(state[i - 1]))) - i;
  }
  state[0] = 0x80000000;
  return state;
}

const mixed = (word: number): number => word ^ (word >>> 30);

function twist(state: Uint32Array): void {
  for (let i = 0; i < SIZE; i++) {
    const y = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
    state[i] = state[(i + SHIFT) % SIZE] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}
