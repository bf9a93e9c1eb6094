/**
 * PyTorch's CPU generator, `torch.Generator().manual_seed(seed)`: what diffusers with a CPU generator, ComfyUI and the web UIs'
 * "CPU" setting draw start noise from. With W the next word of MT19937 and Q = W 2^32 + the next W:
 *
 *   rand     float32 (W mod 2^24) 2^-24, float64 (Q mod 2^53) 2^-53
 *   randn    fewer than 16 values: from two float64 uniforms a, b the pair sqrt(-2 ln(1 - b)) (cos, sin)(2 pi a), its second
 *            kept for the next such call; 16 or more: blocks of 16 uniforms, each with the one 8 further on
 *   randint  low + W mod range (Q where the range is 2^28 or more)
 *   randperm swap i with i + W mod (n - i), i ascending
 *
 * float32 normals of 16 or more values agree with torch's vectorised logarithm and sine to 4e-6.
 */
import { UsageError } from "./errors.ts";
import { mt19937 } from "./mt19937.ts";

export type TorchFloat = "float32" | "float64";

export interface TorchGenerator {
  /** Uniform numbers in [0, 1). */
  rand(count: number, dtype?: TorchFloat): Float64Array;
  /** Standard normal numbers. Shape does not matter to torch, the count does. */
  randn(count: number, dtype?: TorchFloat): Float64Array;
  /** Whole numbers low .. high - 1. */
  randint(low: number, high: number, count: number): Float64Array;
  /** The integers 0 .. n - 1 in random order. */
  randperm(n: number): Int32Array;
}

const TWO28 = 2 ** 28;
const TWO32 = 2 ** 32;

/** The generator of a seed, an integer (only its low 32 bits count; a negative one counts as 2^64 + seed). Throws UsageError for others. */
export function torchGenerator(seed: number | bigint): TorchGenerator {
  if (typeof seed === "number" && !Number.isSafeInteger(seed))
    throw new UsageError(`a seed is a whole number, got ${seed}`);
  const word = mt19937(Number(BigInt.asUintN(32, BigInt(seed))));
  let spare = NaN; // the second normal of a pair, NaN when there is none

  const single = (): number => (word() % 2 ** 24) / 2 ** 24;
  /** Q mod 2^53, Q of two words, first the high one. */
  const double = (): number => ((word() % 2 ** 21) * TWO32 + word()) / 2 ** 53;
  const uniform = (dtype: TorchFloat): number => (dtype === "float32" ? single() : double());

  function pairwise(): number {
    if (!Number.isNaN(spare)) {
      const value = spare;
      spare = NaN;
      return value;
    }
    const [a, b] = [double(), double()];
    const r = Math.sqrt(-2 * Math.log1p(-b));
    spare = r * Math.sin(2 * Math.PI * a);
    return r * Math.cos(2 * Math.PI * a);
  }

  function inBlocks(count: number, dtype: TorchFloat): Float64Array {
    const out = Float64Array.from({ length: count }, () => uniform(dtype));
    for (let start = 0; start + 16 <= count; start += 16) turnBlock(out, start, dtype);
    if (count % 16 !== 0) {
      // The last 16 anew: they overlap the block before.
      for (let i = count - 16; i < count; i++) out[i] = uniform(dtype);
      turnBlock(out, count - 16, dtype);
    }
    return out;
  }

  return {
    rand: (count, dtype = "float32") => Float64Array.from({ length: count }, () => uniform(dtype)),
    randn(count, dtype = "float32") {
      if (count >= 16) return inBlocks(count, dtype);
      const values = Float64Array.from({ length: count }, pairwise);
      return dtype === "float32" ? values.map(Math.fround) : values;
    },
    randint(low, high, count) {
      const range = high - low;
      if (range >= TWO28) {
        return Float64Array.from({ length: count }, () => low + bigRemainder(word(), word(), range));
      }
      return Float64Array.from({ length: count }, () => low + (word() % range));
    },
    randperm(n) {
      const order = Int32Array.from({ length: n }, (_, i) => i);
      for (let i = 0; i < n - 1; i++) {
        const j = i + (word() % (n - i));
        const kept = order[i];
        order[i] = order[j];
        order[j] = kept;
      }
      return order;
    },
  };
}

function turnBlock(values: Float64Array, start: number, dtype: TorchFloat): void {
  for (let j = start; j < start + 8; j++) {
    const a = 1 - values[j];
    const r = Math.sqrt(-2 * Math.log(a));
    const angle = 2 * Math.PI * values[j + 8];
    const pair = [r * Math.cos(angle), r * Math.sin(angle)];
    [values[j], values[j + 8]] = dtype === "float32" ? pair.map(Math.fround) : pair;
  }
}

const bigRemainder = (high: number, low: number, range: number): number =>
  Number((BigInt(high) * BigInt(TWO32) + BigInt(low)) % BigInt(range));
