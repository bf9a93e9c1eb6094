import { fillCudaNormal } from "../base/cudaNoise.ts";
import { seededNoise } from "../base/philox.ts";
import { numpyRandomState } from "../base/randomState.ts";
import { type Tensor, rowSize } from "../base/tensor.ts";
import { torchGenerator } from "../base/torchGenerator.ts";
import { brownianNoise } from "./brownian.ts";
import type { Noise } from "./samplers/sampler.ts";

/**
 * Whose random numbers a sample is made of, each sample from a generator of its own seed:
 *
 * philox   ours: every noise is a function of (seed, step), the same everywhere
 * torch    torch's CPU generator, as diffusers and ComfyUI draw; steps draw on from where the start noise ended
 * numpy    numpy's RandomState(seed).randn, in the same way
 * cuda     the layout of CUDA's Philox that web UIs emulate ("GPU", "NV"), in the same way
 */
export type GeneratorName = "philox" | "torch" | "numpy" | "cuda";

export const generators: readonly GeneratorName[] = ["philox", "torch", "numpy", "cuda"];

/** The noises of a run: unit normals for its start, and for each of its steps. */
export interface NoiseSource {
  /** Of [seeds.length, ...dims]. Asked first, and once. */
  start(shape: readonly number[]): Tensor;
  readonly step: Noise;
}

/**
 * The noises of a run from a generator. With `brownian`, the steps' noises are increments of one path a sample (whose numbers are
 * philox's), so that they do not depend on the number of steps.
 */
export function noiseSource(
  seeds: readonly number[],
  { generator = "philox", brownian = false }: { generator?: GeneratorName; brownian?: boolean } = {},
): NoiseSource {
  const { start, step } = generator === "philox" ? counted(seeds) : inOrder(seeds, generator);
  return { start, step: brownian ? inFloat32(brownianNoise(seeds)) : step };
}

/** A stream for the start, one for each step, and one for each step's second noise. */
function counted(seeds: readonly number[]): NoiseSource {
  return {
    start: (shape) => seededNoise(seeds, 0, shape),
    step: (index, shape, { part = 0 }) => seededNoise(seeds, index + 1 + part * 2 ** 32, shape),
  };
}

/** Numbers that follow one another in the order in which they are asked for. */
function inOrder(seeds: readonly number[], generator: Exclude<GeneratorName, "philox">): NoiseSource {
  const draws = seeds.map((seed) => drawing(seed, generator));
  const next = (shape: readonly number[]): Tensor => {
    const out: Tensor = { data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape };
    const size = rowSize(out);
    draws.forEach((draw, row) => out.data.set(draw(size), row * size));
    return out;
  };
  return { start: next, step: (_, shape) => next(shape) };
}

function drawing(seed: number, generator: Exclude<GeneratorName, "philox">): (count: number) => Float64Array {
  switch (generator) {
    case "torch": {
      const { randn } = torchGenerator(seed);
      return (count) => randn(count);
    }
    case "numpy": {
      const { randn } = numpyRandomState(seed);
      return (count) => Float64Array.from({ length: count }, randn);
    }
    case "cuda": {
      let call = 0;
      return (count) => {
        const out = new Float64Array(count);
        fillCudaNormal(out, seed, call++);
        return out;
      };
    }
  }
}

const inFloat32 =
  (noise: Noise): Noise =>
  (index, shape, span) => ({ data: Float32Array.from(noise(index, shape, span).data), shape });
