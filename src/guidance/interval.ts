/** The noise levels at which a method acts: low < sigma <= high. */
export interface Interval {
  /** Not included; at least 0. */
  readonly low: number;
  /** Included; above low, may be Infinity. */
  readonly high: number;
}

/** Every noise level: (0, Infinity]. */
export const everywhere: Interval = { low: 0, high: Infinity };

/**
 * True where low < sigma <= high.
 *
 * Half-open, so that neighbouring intervals (a, b] and (b, c] share no noise level and miss none. The test is on the
 * sigma of each evaluation, not on the index of the step: the result does not depend on the number of steps.
 * Source: Kynkäänniemi et al. 2024 (arXiv:2404.07724), Section 3.
 */
export function inInterval(sigma: number, { low, high }: Interval): boolean {
  return low < sigma && sigma <= high;
}
