import { UsageError } from "../../base/errors.ts";

/**
 * A sample made anew part by part: a part runs over `axes` of the sample and stands at one place of its other axes. Without axes the
 * sample is one part. `of` are samples of that shape; `make` is given their parts. Throws UsageError for an axis that a sample
 * does not have.
 */
export function partsAlong(
  axes: readonly number[] | undefined,
  shape: readonly number[],
  [a, b]: readonly [Float64Array, Float64Array],
  make: (a: Float64Array, b: Float64Array) => Float64Array,
): Float64Array {
  if (axes === undefined) return make(a, b);
  const out = new Float64Array(a.length);
  for (const places of placesAlong(axes, shape)) {
    const take = (x: Float64Array): Float64Array => Float64Array.from(places, (at) => x[at]);
    make(take(a), take(b)).forEach((value, i) => (out[places[i]] = value));
  }
  return out;
}

/** The flat indices of each part. */
function placesAlong(axes: readonly number[], shape: readonly number[]): Iterable<number[]> {
  const wrong = axes.find((axis) => axis >= shape.length);
  if (wrong !== undefined) {
    throw new UsageError(
      `a sample of shape [${shape.join(", ")}] has axes 0 to ${shape.length - 1}, got axis ${wrong}`,
    );
  }
  const parts = new Map<number, number[]>();
  const size = shape.reduce((product, n) => product * n, 1);
  for (let at = 0; at < size; at++) {
    // Where it stands on the other axes, as one number.
    let [stride, place] = [size, 0];
    for (const [axis, n] of shape.entries()) {
      stride /= n;
      if (!axes.includes(axis)) place = place * n + (Math.floor(at / stride) % n);
    }
    const part = parts.get(place);
    if (part) part.push(at);
    else parts.set(place, [at]);
  }
  return parts.values();
}
