import { UsageError } from "./errors.ts";

/** The value below which `share` of `values` lie, linear between the two nearest, as torch and numpy by default; share is in [0, 1]. */
export function quantile(values: ArrayLike<number>, share: number): number {
  if (!(share >= 0 && share <= 1)) throw new UsageError(`a quantile's share must be in [0, 1], got ${share}`);
  if (values.length === 0) throw new UsageError("a quantile needs at least one value");
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.ceil(place);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}
