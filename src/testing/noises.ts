/** Noises of every kind, for comparing what engines make of the same seeds. */
import { generators, noiseSource } from "../diffusion/noise.ts";

/** By generator: the numbers of a start and of a step, with their bits as whole numbers. */
export function noises(): Record<string, number[]> {
  const seeds = [0, 1, 123456789];
  const shape = [3, 1, 8, 8];
  const span = { from: 2, to: 1 };
  const bits = ({ data }: { data: ArrayLike<number> }) => [...new Int32Array(Float32Array.from(data).buffer)];
  const drawn = (options: Parameters<typeof noiseSource>[1]) => {
    const source = noiseSource(seeds, options);
    return [...bits(source.start(shape)), ...bits(source.step(3, shape, span))];
  };
  return {
    ...Object.fromEntries(generators.map((generator) => [generator, drawn({ generator })])),
    brownian: drawn({ brownian: true }),
  };
}
