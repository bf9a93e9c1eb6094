import { sizeOf } from "../../base/tensor.ts";
import { int, intOf, stringOf } from "../attributes.ts";
import {
  abs,
  add,
  and,
  cast,
  div,
  greaterOrEqual,
  lessOrEqual,
  mul,
  neg,
  round,
  sub,
} from "../ops/elementwise.ts";
import { gather } from "../ops/indexing.ts";
import { expand, reshape } from "../ops/reshape.ts";
import type { CallSite, RuleFamily } from "../rule.ts";
import { check, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";

// y[n, c, p] = sum over taps of weight * x[n, c, place], the places around grid[n, p] in [-1, 1] along each axis.

interface Sampling {
  readonly mode: "linear" | "nearest" | "cubic";
  readonly outside: "zeros" | "border" | "reflection";
  /** Whether -1 and 1 are the centres of the outermost elements, or their outer edges. */
  readonly corners: boolean;
}

/** One element along an axis that each point reads, and its weight. */
interface Tap {
  /** int64 */
  readonly place: Value;
  readonly weight: Value;
}

function samplingOf(site: CallSite): Sampling {
  const mode = stringOf(site, "mode", "linear").replace(/^bi/u, "");
  const outside = stringOf(site, "padding_mode", "zeros");
  const known =
    (mode === "linear" || mode === "nearest" || mode === "cubic") &&
    (outside === "zeros" || outside === "border" || outside === "reflection");
  check(site, known, () => `GridSample has no mode "${mode}" with "${outside}" outside`);
  return { mode, outside, corners: intOf(site, "align_corners", 0) === 1 } as Sampling;
}

function gridSample(site: CallSite, [x, grid]: readonly (Value | null)[]): readonly Value[] {
  const sampling = samplingOf(site);
  const [batch, channels, ...sizes] = x!.shape;
  const points = grid!.shape.slice(1, -1);
  const fits =
    sizes.length > 0 &&
    points.length === sizes.length &&
    grid!.shape[0] === batch &&
    grid!.shape[grid!.shape.length - 1] === sizes.length;
  check(site, fits, () => `GridSample of [${x!.shape.join(", ")}] by a grid [${grid!.shape.join(", ")}]`);

  const flat = reshape(grid!, [batch, sizeOf(points), sizes.length]);
  const taps = sizes.map((size, axis) => {
    // The grid names the last axis first.
    const along = gather(flat, x!.builder.literal(sizes.length - 1 - axis, "int64"), 2);
    return tapsAlong(along, size, sampling);
  });
  const strides = stridesOf(sizes);
  const image = reshape(x!, [batch, channels, -1]);
  const terms = combinations(taps).map((list) => {
    const place = list.map((tap, axis) => mul(tap.place, strides[axis])).reduce((a, b) => add(a, b));
    const weight = list.map((tap) => tap.weight).reduce((a, b) => mul(a, b));
    return mul(read(image, place), reshape(weight, [batch, 1, -1]));
  });
  return [
    reshape(
      terms.reduce((a, b) => add(a, b)),
      [batch, channels, ...points],
    ),
  ];
}

/** image [batch, channels, size] at place [batch, points]. */
function read(image: Value, place: Value): Value {
  const [batch, channels] = image.shape;
  const points = place.shape[1];
  const places = expand(reshape(place, [batch, 1, points]), [batch, channels, points]);
  return image.builder.apply("GatherElements", [image, places], { attributes: { axis: int(2) } })[0];
}

function combinations(taps: readonly (readonly Tap[])[]): Tap[][] {
  return taps.reduce<Tap[][]>(
    (list, next) => list.flatMap((head) => next.map((tap) => [...head, tap])),
    [[]],
  );
}

const floor = (x: Value): Value => x.builder.apply("Floor", [x])[0];

/** The elements of an axis around the points u in [-1, 1]. */
function tapsAlong(u: Value, size: number, { mode, outside, corners }: Sampling): Tap[] {
  const at = corners ? mul(add(u, 1), (size - 1) / 2) : mul(sub(mul(add(u, 1), size), 1), 0.5);
  const first = mode === "nearest" ? round(at) : floor(at);
  return weightsOf(sub(at, first), mode).map(({ offset, weight }) => {
    const place = add(first, offset);
    const inside = and(greaterOrEqual(place, 0), lessOrEqual(place, size - 1));
    return {
      place: cast(brought(place, size, outside === "reflection" ? corners : null), "int64"),
      weight: outside === "zeros" ? mul(weight, cast(inside, weight.dtype)) : weight,
    };
  });
}

/** Weights of the elements at `offset` from the one before a point, `part` of the way behind it. */
function weightsOf(part: Value, mode: Sampling["mode"]): { offset: number; weight: Value }[] {
  const one = expand(part.builder.literal(1, part.dtype), part.shape);
  switch (mode) {
    case "nearest":
      return [{ offset: 0, weight: one }];
    case "linear":
      return [
        { offset: 0, weight: sub(1, part) },
        { offset: 1, weight: part },
      ];
    case "cubic":
      return [
        { offset: -1, weight: cubicOuter(add(part, 1)) },
        { offset: 0, weight: cubicInner(part) },
        { offset: 1, weight: cubicInner(sub(1, part)) },
        { offset: 2, weight: cubicOuter(sub(2, part)) },
      ];
  }
}

/** Keys' cubic convolution kernel with a = -0.75, for distances up to 1, and from 1 to 2. */
const cubicInner = (d: Value): Value => add(mul(mul(sub(mul(d, 1.25), 2.25), d), d), 1);
const cubicOuter = (d: Value): Value => add(mul(sub(mul(add(mul(d, -0.75), 3.75), d), 6), d), 3);

/** A place outside brought inside: to the edge, or reflected about the outermost centres (corners) or edges. */
function brought(place: Value, size: number, corners: boolean | null): Value {
  const { builder, dtype } = place;
  const [low, high] = [builder.literal(0, dtype), builder.literal(size - 1, dtype)];
  const clipped = (value: Value): Value => builder.apply("Clip", [value, low, high])[0];
  if (corners === null) return clipped(place);
  const half = corners ? size - 1 : size - 0.5;
  const period = corners ? 2 * size - 2 : 2 * size;
  if (period === 0) return clipped(place);
  const once = sub(place, mul(floor(div(place, period)), period));
  return clipped(add(neg(abs(sub(once, half))), half));
}

export const gridSampling: RuleFamily = {
  GridSample: { expand: gridSample },
};
