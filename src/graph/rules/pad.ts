import { stringOf } from "../attributes.ts";
import { add, mul } from "../ops/elementwise.ts";
import { flip, pad, slice } from "../ops/indexing.ts";
import { reduceSum } from "../ops/reduce.ts";
import { expand, reshape } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, RuleFamily, RuleInput } from "../rule.ts";
import { axisOf, check, generate, knownNumbers, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";

/** Pads of every axis, those in front first. `axes` are the axes that `given` is for; all when null. */
function widthsOf(
  site: CallSite,
  rank: number,
  given: readonly number[],
  axes: readonly number[] | null,
): number[] {
  const at = axes?.map((axis) => axisOf(site, axis, rank)) ?? Array.from({ length: rank }, (_, i) => i);
  check(site, given.length === 2 * at.length, () => `${given.length} pads for ${at.length} axes`);
  const widths = new Array<number>(2 * rank).fill(0);
  at.forEach((axis, i) => {
    widths[axis] = given[i];
    widths[rank + axis] = given[at.length + i];
  });
  return widths;
}

const knownWidths = (site: CallSite, [x, pads, , axes]: readonly (RuleInput | null)[]): number[] =>
  widthsOf(site, x!.shape.length, knownNumbers(site, pads, "pads")!, knownNumbers(site, axes, "axes"));

/** The size of a padded axis. */
function paddedSize(site: CallSite, size: number, before: number, after: number): number {
  const mode = stringOf(site, "mode", "constant");
  const left = size - Math.max(0, -before) - Math.max(0, -after);
  check(
    site,
    size + before + after >= 0 &&
      left >= 0 &&
      (left > 0 || mode === "constant" || (before <= 0 && after <= 0)),
    () => `pads of ${before} and ${after} for an axis of ${size}`,
  );
  if (mode !== "constant") outside(site, mode, 0, 1);
  return size + before + after;
}

/** Where each output position along an axis of `size` is read; -1 for what is filled in. Negative pads cut first. */
function sourcesOf(site: CallSite, size: number, before: number, after: number): number[] {
  const mode = stringOf(site, "mode", "constant");
  const first = Math.max(0, -before);
  const left = size - first - Math.max(0, -after);
  return Array.from({ length: paddedSize(site, size, before, after) }, (_, i) => {
    const at = i - Math.max(0, before);
    const inner = at >= 0 && at < left ? at : outside(site, mode, at, left);
    return inner < 0 ? -1 : inner + first;
  });
}

/** The position inside [0, size) that stands for one outside. */
function outside(site: CallSite, mode: string, at: number, size: number): number {
  const modulo = (n: number, period: number): number => ((n % period) + period) % period;
  switch (mode) {
    case "constant":
      return -1;
    case "edge":
      return at < 0 ? 0 : size - 1;
    case "wrap":
      return modulo(at, size);
    case "reflect": {
      const period = Math.max(1, 2 * (size - 1));
      const inside = modulo(at, period);
      return inside < size ? inside : period - inside;
    }
    default:
      check(site, false, () => `Pad has no mode "${mode}"`);
      return -1;
  }
}

const sourcesOfAll = (site: CallSite, shape: readonly number[], widths: readonly number[]): number[][] =>
  shape.map((size, axis) => sourcesOf(site, size, widths[axis], widths[axis + shape.length]));

// --- Gradient.

function padGradient({ site, inputs, gradients: [g], wanted }: GradientCall): (Value | null)[] {
  const [x, , fill] = inputs;
  const widths = knownWidths(site, inputs);
  const { shape } = x!;
  const constant = stringOf(site, "mode", "constant") === "constant";
  const back = (): Value =>
    constant
      ? pad(
          g!,
          widths.map((n) => -n),
        )
      : sourcesOfAll(site, shape, widths).reduce(
          (out, sources, axis) => gathered(out, axis, sources, shape[axis]),
          g!,
        );
  return [
    wanted[0] ? back() : null,
    null,
    fill && wanted[2] && constant ? reshape(filledSum(g!, x!, widths), fill.shape) : null,
    null,
  ].slice(0, inputs.length);
}

/** The sum of g over what was filled in. */
function filledSum(g: Value, x: Value, widths: readonly number[]): Value {
  const { builder } = x;
  const inside = expand(builder.literal(0, g.dtype), x.shape);
  const mask = builder.apply("Pad", [
    inside,
    builder.literal(widths, "int64"),
    builder.literal(1, g.dtype),
  ])[0];
  return reduceSum(
    mul(g, mask),
    g.shape.map((_, i) => i),
  );
}

/**
 * Transpose of reading `sources` along an axis: each element of g added where it was read. The sources are a few runs, which
 * go up, down, or stay: each is one slice, turned round or summed, and padded to its place.
 */
function gathered(g: Value, axis: number, sources: readonly number[], size: number): Value {
  const pieces = runsOf(sources).map(({ start, count, step }) => {
    const part = slice(g, [{ axis, start, end: start + count }]);
    const turned = step < 0 ? flip(part, [axis]) : part;
    const placed = step === 0 && count > 1 ? reduceSum(turned, [axis], { keep: true }) : turned;
    const first = Math.min(sources[start], sources[start + count - 1]);
    const widths = new Array<number>(2 * g.shape.length).fill(0);
    widths[axis] = first;
    widths[axis + g.shape.length] = size - first - placed.shape[axis];
    return pad(placed, widths);
  });
  return pieces.reduce((a, b) => add(a, b));
}

interface Run {
  readonly start: number;
  readonly count: number;
  readonly step: number;
}

/** The list cut into as long runs with a step of 1, -1 or 0 as there are from the left. */
function runsOf(sources: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (let start = 0; start < sources.length;) {
    const step = sources[start + 1] - sources[start];
    let end = start + 1;
    if (Math.abs(step) <= 1) while (sources[end] - sources[end - 1] === step) end++;
    runs.push({ start, count: end - start, step: end - start > 1 ? step : 1 });
    start = end;
  }
  return runs;
}

function evaluatePad(
  x: HostInput,
  sources: readonly (readonly number[])[],
  shape: readonly number[],
  fill: number,
): Float64Array {
  const [from, to] = [stridesOf(x.shape), stridesOf(shape)];
  return generate(shape, (i) => {
    let index = 0;
    for (let k = 0; k < shape.length; k++) {
      const at = sources[k][Math.floor(i / to[k]) % shape[k]];
      if (at < 0) return fill;
      index += at * from[k];
    }
    return x.numbers[index];
  });
}

export const padding: RuleFamily = {
  Pad: {
    infer: (site, inputs) => {
      const { dtype, shape } = inputs[0]!;
      const widths = knownWidths(site, inputs);
      const padded = (size: number, axis: number): number =>
        paddedSize(site, size, widths[axis], widths[axis + shape.length]);
      return [{ dtype, shape: shape.map(padded) }];
    },
    gradient: padGradient,
    evaluate: (site, [x, pads, fill, axes], [{ shape }]) => {
      const at = axes ? Array.from(axes.numbers) : null;
      const widths = widthsOf(site, shape.length, Array.from(pads!.numbers), at);
      return [evaluatePad(x!, sourcesOfAll(site, x!.shape, widths), shape, fill?.numbers[0] ?? 0)];
    },
  },
};
