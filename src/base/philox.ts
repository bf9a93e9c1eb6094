/**
 * Random numbers by counting: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 *
 * A block of four 32-bit words is a pure function of a 64-bit key and a 128-bit counter. Here
 *   key     = (seed mod 2^32, seed / 2^32)
 *   counter = (position mod 2^32, position / 2^32, stream mod 2^32, stream / 2^32)
 * and position counts blocks 0, 1, 2, ... So every (seed, stream) is its own sequence: nothing is shared between two
 * samples of a batch, and no draw depends on the batch size, on the order of samples or on the device.
 *
 * From words w to values, in float64:
 *   uniform  w / 2^32
 *   integer  w mod n, words at or above the largest multiple of n are passed over
 *   normal   Box-Muller on the next two words w0, w1 of one half block (an odd word before them is passed over):
 *            r = sqrt(-2 ln((w0 + 1/2) / 2^32)), a = 2 pi w1 / 2^32; first r cos a, then r sin a. Largest value 6.76.
 * Everything here is the same bits in every engine: gaussianPair.ts computes ln, sin and cos by operations that all round alike.
 */
import { UsageError } from "./errors.ts";
import { cosOfWord, radius, sinOfWord } from "./gaussianPair.ts";
import type { FloatArray, Tensor } from "./tensor.ts";
import { sizeOf } from "./tensor.ts";

export interface Stream {
  /** A number in [0, 1), a multiple of 2^-32. */
  uniform(): number;
  /** A standard normal number. */
  normal(): number;
  /** An integer in 0 .. n-1, each equally likely; n is 1 .. 2^32. */
  integer(n: number): number;
  /** Writes `length` standard normals from index `start` on: the same ones as so many calls of normal(). */
  fillNormal(out: FloatArray, start?: number, length?: number): void;
  /** Fills `out` with what calls of uniform() would give (a Float32Array rounds, so that 1 can occur). */
  fillUniform(out: FloatArray): void;
  /** The integers 0 .. n-1 in random order (Fisher-Yates from the end). */
  permutation(n: number): Int32Array;
}

const TWO32 = 4294967296;

/** The high 32 bits (as int32) of the 64-bit product of the constant (high << 16 | low) and b, by 16-bit halves. */
function highProduct(high: number, low: number, b: number): number {
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = Math.imul(high, b0) + (Math.imul(low, b0) >>> 16);
  const carry = Math.imul(low, b1) + (middle & 0xffff);
  return (Math.imul(high, b1) + (middle >>> 16) + (carry >>> 16)) | 0;
}

/** Writes the four words of counter (c0, c1, c2, c3) under key (k0, k1) into `words`. */
export function philoxBlock(
  words: Uint32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void {
  for (let round = 0; round < 10; round++) {
    const high0 = highProduct(0xd251, 0x1f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = highProduct(0xcd9e, 0x8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/**
 * The random sequence number `stream` of `seed`, from its beginning.
 *
 * seed: an integer 0 .. 2^53 - 1, or a bigint 0 .. 2^64 - 1. stream: an integer 0 .. 2^53 - 1.
 * Throws UsageError for anything else.
 */
export function philox(seed: number | bigint, stream: number): Stream {
  const [k0, k1] = halves(seed, "seed");
  const [c2, c3] = halves(stream, "stream");
  const words = new Uint32Array(4);
  let position = 0; // the next block
  let used = 4; // words of the present block already given out
  let spare = NaN; // the second normal of a pair, NaN when there is none

  function nextBlock(): void {
    philoxBlock(words, position | 0, Math.floor(position / TWO32), c2, c3, k0, k1);
    position++;
    used = 0;
  }

  function word(): number {
    if (used === 4) nextBlock();
    return words[used++];
  }

  function normal(): number {
    if (!Number.isNaN(spare)) {
      const value = spare;
      spare = NaN;
      return value;
    }
    used += used & 1;
    if (used === 4) nextBlock();
    const r = radius(words[used]);
    const w = words[used + 1];
    used += 2;
    spare = r * sinOfWord(w);
    return r * cosOfWord(w);
  }

  function fillNormal(out: FloatArray, start = 0, length = out.length - start): void {
    const end = start + length;
    let i = start;

    // Up to the next block's beginning, whole blocks, the rest.
    while (i < end && (used < 4 || !Number.isNaN(spare))) out[i++] = normal();
    for (; i + 4 <= end; i += 4) {
      nextBlock();
      const r0 = radius(words[0]);
      const r1 = radius(words[2]);
      out[i] = r0 * cosOfWord(words[1]);
      out[i + 1] = r0 * sinOfWord(words[1]);
      out[i + 2] = r1 * cosOfWord(words[3]);
      out[i + 3] = r1 * sinOfWord(words[3]);
      used = 4;
    }
    while (i < end) out[i++] = normal();
  }

  function integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO32) {
      throw new UsageError(`integer(n) wants an integer n from 1 to 2^32, got ${n}`);
    }
    const limit = TWO32 - (TWO32 % n);
    let w = word();
    while (w >= limit) w = word();
    return w % n;
  }

  return {
    uniform: () => word() / TWO32,
    normal,
    integer,
    fillNormal,
    fillUniform(out) {
      for (let i = 0; i < out.length; i++) out[i] = word() / TWO32;
    },
    permutation(n) {
      const order = Int32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = integer(i + 1);
        const kept = order[i];
        order[i] = order[j];
        order[j] = kept;
      }
      return order;
    },
  };
}

/**
 * Standard normal noise of the given shape [seeds.length, ...dims]: row i holds the first normals of
 * philox(seeds[i], stream) and depends on nothing else.
 *
 * Throws UsageError when the shape's first axis is not the number of seeds.
 */
export function seededNoise(
  seeds: readonly number[],
  stream: number,
  shape: readonly number[],
  kind: "float32" | "float64" = "float32",
): Tensor {
  if (shape[0] !== seeds.length) {
    throw new UsageError(
      `noise of shape [${shape.join(", ")}] has ${shape[0]} rows, got ${seeds.length} seeds`,
    );
  }
  const size = sizeOf(shape.slice(1));
  const data =
    kind === "float64" ? new Float64Array(seeds.length * size) : new Float32Array(seeds.length * size);
  seeds.forEach((seed, i) => philox(seed, stream).fillNormal(data, i * size, size));
  return { data, shape };
}

/** The low and the high 32 bits of a whole number. */
function halves(value: number | bigint, name: string): [number, number] {
  const valid =
    typeof value === "bigint" ? value >= 0n && value < 1n << 64n : Number.isSafeInteger(value) && value >= 0;
  if (!valid) throw new UsageError(`a ${name} is an integer from 0 to 2^53 - 1, got ${value}`);
  const whole = BigInt(value);
  return [Number(whole & 0xffffffffn), Number(whole >> 32n)];
}
