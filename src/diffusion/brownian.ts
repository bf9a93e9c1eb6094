import { UsageError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";
import type { Noise } from "./samplers/sampler.ts";

/** The largest noise level that a path reaches; powers of two halve exactly. */
const TOP = 2 ** 17;
/** Intervals are halved until they are this much smaller than the noise levels in them. */
const FINENESS = 2 ** -22;

/**
 * Noise for samplers on the reverse SDE that belongs to one Brownian path W(sigma) a sample, whatever the steps:
 *
 *   noise of a step from sigma to sigma' = (W(sigma) - W(sigma'))/sqrt(sigma - sigma')
 *
 * so that a run of twice the steps follows the same path more closely. W is built by halving [0, 2^17] again and again: the
 * middle of an interval is the mean of its ends plus sqrt(length)/2 times a normal number, drawn from (seed, the interval's
 * place in the tree); below a 4-millionth of the noise level it is linear.
 *
 * Cost: about 40 normals for each element and step. Throws UsageError for noise levels above 2^17.
 * Source: Levy's construction; as a tree of counters in Li et al. 2020 (arXiv:2001.01328), section 4.
 */
export function brownianNoise(seeds: readonly number[]): Noise {
  return (_, shape, { from, to }) => {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    if (!(high <= TOP)) throw new UsageError(`a Brownian path reaches up to sigma = ${TOP}, got ${high}`);
    const size = shape.slice(1).reduce((a, b) => a * b, 1);
    const data = new Float64Array(seeds.length * size);
    seeds.forEach((seed, row) => {
      const [a, b] = [pathAt(seed, low, size), pathAt(seed, high, size)];
      const factor = 1 / Math.sqrt(high - low);
      for (let i = 0; i < size; i++) data[row * size + i] = (b[i] - a[i]) * factor;
    });
    return { data, shape };
  };
}

/** W(sigma) of a sample's path, `size` independent ones at once. */
function pathAt(seed: number, sigma: number, size: number): Float64Array {
  if (sigma === 0) return new Float64Array(size);
  let [low, high] = [0, TOP];
  let atLow = new Float64Array(size);
  let atHigh = normals(seed, 2 ** 53 - 1, size).map((z) => z * Math.sqrt(TOP));
  // How often the interval was halved, and its number among those of its length.
  let [level, place] = [0, 0];
  while (high - low > FINENESS * sigma) {
    const middle = (low + high) / 2;
    const spread = Math.sqrt(high - low) / 2;
    const z = normals(seed, streamOf(level, place), size);
    const between = z.map((value, i) => (atLow[i] + atHigh[i]) / 2 + spread * value);
    level++;
    place *= 2;
    if (sigma < middle) [high, atHigh] = [middle, between];
    else {
      [low, atLow] = [middle, between];
      place++;
    }
  }
  const share = (sigma - low) / (high - low);
  return atLow.map((value, i) => value + share * (atHigh[i] - value));
}

/** A stream for each interval, beside those of steps; its place is below 2^24, for it is about sigma over its length. */
const streamOf = (level: number, place: number): number => 2 ** 52 + level * 2 ** 24 + place;

function normals(seed: number, stream: number, size: number): Float64Array {
  const out = new Float64Array(size);
  philox(seed, stream).fillNormal(out);
  return out;
}
