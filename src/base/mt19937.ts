/** MT19937 (Matsumoto and Nishimura 1998), seeded by one word as torch and numpy's RandomState do: what both are made of. */

const SIZE = 624;
const SHIFT = 397;

/** The 32-bit words of the generator seeded with `seed` (its low 32 bits count), one a call. */
export function mt19937(seed: number): () => number {
  const state = new Uint32Array(SIZE);
  state[0] = seed;
  for (let i = 1; i < SIZE; i++) {
    state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  }
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

function twist(state: Uint32Array): void {
  for (let i = 0; i < SIZE; i++) {
    const y = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
    state[i] = state[(i + SHIFT) % SIZE] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}
