import { philox } from "../base/philox.ts";

/**
 * Noise on an embedding e, the numbers that a network makes of its condition or of the noise level, in each row:
 *
 *   e' = keep*e + amount*n                              n standard normal: the first numbers of philox(seeds[row], stream)
 *   e" = rescale*(mean(e) + std(e)*(e' - mean(e'))/std(e')) + (1 - rescale)*e'
 *
 * Means and standard deviations are over the embedding. keep = 1, amount = 0, rescale = 0 is no change.
 */
export interface EmbeddingNoise {
  /** Factor of the embedding itself. */
  readonly keep: number;
  /** Standard deviation of the noise. */
  readonly amount: number;
  /** How far the result is brought back to the embedding's mean and standard deviation: 0 not at all, 1 fully. */
  readonly rescale: number;
  /** One for each row. */
  readonly seeds: readonly number[];
  readonly stream: number;
}

/** Whether two noises are the same numbers. */
export function sameNoise(a: EmbeddingNoise | undefined, b: EmbeddingNoise | undefined): boolean {
  if (a === b) return true;
  if (!a || !b) return false;
  const equal =
    a.keep === b.keep && a.amount === b.amount && a.rescale === b.rescale && a.stream === b.stream;
  return equal && a.seeds.length === b.seeds.length && a.seeds.every((seed, row) => seed === b.seeds[row]);
}

/** The standard normals n of a row. */
export function noiseOfRow({ seeds, stream }: EmbeddingNoise, row: number, width: number): Float64Array {
  const normals = new Float64Array(width);
  philox(seeds[row], stream).fillNormal(normals);
  return normals;
}

/** e" of a row, in float64. An e' without spread is left as it is. */
export function noisyEmbedding(embedding: ArrayLike<number>, how: EmbeddingNoise, row: number): Float64Array {
  const { keep, amount, rescale } = how;
  const noisy = noiseOfRow(how, row, embedding.length).map((n, i) => keep * embedding[i] + amount * n);
  const [was, is] = [momentsOf(embedding), momentsOf(noisy)];
  if (rescale === 0 || is.std === 0) return noisy;
  return noisy.map((value) => {
    const back = was.mean + (was.std * (value - is.mean)) / is.std;
    return rescale * back + (1 - rescale) * value;
  });
}

function momentsOf(values: ArrayLike<number>): { mean: number; std: number } {
  let mean = 0;
  for (let i = 0; i < values.length; i++) mean += values[i] / values.length;
  let variance = 0;
  for (let i = 0; i < values.length; i++) variance += (values[i] - mean) ** 2 / values.length;
  return { mean, std: Math.sqrt(variance) };
}
