/** What methods draw at each step of a sampler. */
const purposes = ["icg", "tsg", "cads"] as const;

/**
 * The stream of what a method draws in a step, for `philox(seed of the row, stream)`: apart from those of samplers' noise, which
 * stay below 2^40, and of Brownian paths, from 2^52 on. All evaluations of a step see the same.
 */
export const streamOf = (purpose: (typeof purposes)[number], step: number): number =>
  2 ** 48 + purposes.indexOf(purpose) * 2 ** 40 + step;
