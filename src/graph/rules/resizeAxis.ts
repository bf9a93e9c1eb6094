import { floatOf, intOf, stringOf } from "../attributes.ts";
import type { CallSite } from "../rule.ts";
import { check } from "../shapes.ts";

/** One axis of a Resize: sizes, the factor between them, and the part that tf_crop_and_resize cuts out. */
export interface ResizedAxis {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  readonly start: number;
  readonly end: number;
}

/** An output position as a weighted sum of input positions; null: outside, where the extrapolation value stands. */
export type Taps = readonly { readonly at: number; readonly weight: number }[] | null;

/** What each output position along an axis is made of. Throws UsageError for an unknown mode. */
export function tapsOf(site: CallSite, axis: ResizedAxis): Taps[] {
  const mode = stringOf(site, "mode", "nearest");
  const crops = stringOf(site, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  return Array.from({ length: axis.to }, (_, i) => {
    const x = coordinate(site, axis, i, mode === "nearest" ? Math.fround : (n) => n);
    if (crops && (Math.fround(x) < 0 || Math.fround(x) > axis.from - 1)) return null;
    switch (mode) {
      case "nearest":
        return [{ at: clamp(nearest(site, x), axis.from), weight: 1 }];
      case "linear":
      case "cubic":
        return weighted(site, axis, x, mode);
      default:
        check(site, false, () => `${site.op} has no mode "${mode}"`);
        return null;
    }
  });
}

const clamp = (at: number, size: number): number => Math.min(Math.max(at, 0), size - 1);

/**
 * Where output position i lies among the inputs. `round` makes the arithmetic that of float32, which decides between
 * neighbours as the runtime does.
 */
function coordinate(site: CallSite, axis: ResizedAxis, i: number, round: (n: number) => number): number {
  const { from, to, scale, start, end } = axis;
  if (scale === 1) return i; // a crop, too, is none then in ONNX Runtime
  const centre = (): number => round(round((i + 0.5) / scale) - 0.5);
  const mode = stringOf(site, "coordinate_transformation_mode", "half_pixel");
  switch (mode) {
    case "half_pixel":
      return centre();
    case "half_pixel_symmetric": {
      const adjustment = round(to / round(scale * from));
      const offset = round((from / 2) * round(1 - adjustment));
      return round(round(offset + round((i + 0.5) / scale)) - 0.5);
    }
    case "pytorch_half_pixel":
      return to > 1 ? centre() : 0;
    case "align_corners":
      return to > 1 ? round(round(i * (from - 1)) / (to - 1)) : 0;
    case "asymmetric":
      return round(i / scale);
    case "tf_half_pixel_for_nn":
      return round((i + 0.5) / scale);
    case "tf_crop_and_resize":
      return to > 1
        ? round(start * (from - 1) + (i * (end - start) * (from - 1)) / (to - 1))
        : round(0.5 * (start + end) * (from - 1));
    default:
      check(site, false, () => `${site.op} has no coordinate transformation "${mode}"`);
      return 0;
  }
}

function nearest(site: CallSite, x: number): number {
  const mode = stringOf(site, "nearest_mode", "round_prefer_floor");
  switch (mode) {
    case "round_prefer_floor":
      return Math.ceil(x - 0.5);
    case "round_prefer_ceil":
      return Math.floor(x + 0.5);
    case "floor":
      return Math.floor(x);
    case "ceil":
      return Math.ceil(x);
    default:
      check(site, false, () => `${site.op} has no nearest mode "${mode}"`);
      return 0;
  }
}

/**
 * Weights kernel(distance) of the inputs around x, divided by their sum; what lies outside is given to the edge, or to
 * nobody with exclude_outside. With antialias and a scale below 1 the kernel is stretched by 1 / scale.
 */
function weighted(site: CallSite, { from, scale }: ResizedAxis, x: number, mode: "linear" | "cubic"): Taps {
  const cubic = mode === "cubic";
  const shrink = intOf(site, "antialias", 0) === 1 ? Math.min(1, scale) : 1;
  const a = floatOf(site, "cubic_coeff_a", -0.75);
  const excluded = intOf(site, "exclude_outside", 0) === 1;
  const reach = (cubic ? 2 : 1) / shrink;
  const weights = new Map<number, number>();
  for (let at = Math.ceil(x - reach); at <= Math.floor(x + reach); at++) {
    const distance = Math.abs(at - x) * shrink;
    const weight = cubic ? cubicKernel(distance, a) : Math.max(0, 1 - distance);
    if (weight === 0 || (excluded && (at < 0 || at >= from))) continue;
    const place = clamp(at, from);
    weights.set(place, (weights.get(place) ?? 0) + weight);
  }
  const sum = [...weights.values()].reduce((s, w) => s + w, 0);
  return [...weights].map(([at, weight]) => ({ at, weight: weight / sum }));
}

/** Keys' cubic convolution kernel (1981); a = -0.5 or -0.75. */
function cubicKernel(d: number, a: number): number {
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}
