import { sizeOf } from "../../base/tensor.ts";
import { int, intOf, ints, intsOf, string } from "../attributes.ts";
import { constantOf } from "../constant.ts";
import { abs, div, equal, mul, pow, sign, where } from "../ops/elementwise.ts";
import { expand, reshape } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, InferredType, Rule, RuleFamily } from "../rule.ts";
import { check, sameShape } from "../shapes.ts";
import type { Value } from "../value.ts";
import { inputGradient } from "./convGeneral.ts";
import { type Window, extentsOf, meetingsOf, windowCounts, windowOf } from "./window.ts";

/** Windows over the spatial axes of [batch, channels, ...wide], and how many there are along each. */
interface Pool {
  readonly window: Window;
  readonly wide: readonly number[];
  readonly small: readonly number[];
}

function poolOf(site: CallSite, x: Pick<InferredType, "shape">): Pool {
  const wide = x.shape.slice(2);
  const kernel = intsOf(site, "kernel_shape", []);
  const fits = wide.length > 0 && kernel.length === wide.length;
  check(site, fits, () => `${site.op} of [${x.shape.join(", ")}] with a kernel of [${kernel.join(", ")}]`);
  const window = windowOf(site, kernel, wide);
  return { window, wide, small: windowCounts(site, window, wide, intOf(site, "ceil_mode", 0) === 1) };
}

/** The pool of all positions in one window, as the global pools have it. */
function globalPool(site: CallSite, x: Pick<InferredType, "shape">): Pool {
  const wide = x.shape.slice(2);
  check(site, wide.length > 0, () => `${site.op} of [${x.shape.join(", ")}], which has no spatial axis,`);
  const each = (n: number): number[] => wide.map(() => n);
  return {
    window: { kernel: wide, strides: each(1), dilations: each(1), pads: [...each(0), ...each(0)] },
    wide,
    small: each(1),
  };
}

const typeOf = (x: InferredType, { small }: Pool): InferredType => ({
  dtype: x.dtype,
  shape: [...x.shape.slice(0, 2), ...small],
});

/** Calls `visit` with the flat positions of every window and every element in it; elements of a window in row-major order. */
function forEachElement(
  x: HostInput,
  { window, wide, small }: Pool,
  visit: (small: number, wide: number) => void,
): void {
  const planes = x.shape[0] * x.shape[1];
  for (const meetings of meetingsOf(window, wide, small))
    for (let plane = 0; plane < planes; plane++)
      for (let i = 0; i < meetings.small.length; i++)
        visit(plane * sizeOf(small) + meetings.small[i], plane * sizeOf(wide) + meetings.wide[i]);
}

/** Transpose of summing over windows: every element gets the sum of g over the windows that it lies in. */
function spreadSums(g: Value, x: Value, { window, wide, small }: Pool): Value {
  const rank = wide.length;
  // Windows that hang over the end lie in a larger pad there.
  const over = extentsOf(window).map((extent, i) =>
    Math.max(
      0,
      (small[i] - 1) * window.strides[i] + extent - (wide[i] + window.pads[i] + window.pads[i + rank]),
    ),
  );
  const pads = window.pads.map((n, i) => (i < rank ? n : n + over[i - rank]));
  const ones = expand(g.builder.literal(1, g.dtype), [1, 1, ...window.kernel]);
  const planes = reshape(g, [-1, 1, ...small]);
  return reshape(
    inputGradient(planes, ones, { window: { ...window, pads }, group: 1, wide, small }),
    x.shape,
  );
}

// --- Largest.

function maxPool(poolIn: typeof poolOf): Pick<Rule, "infer" | "evaluate"> {
  return {
    infer: (site, [x]) => {
      const type = typeOf(x!, poolIn(site, x!));
      const places: InferredType = { ...type, dtype: "int64" };
      return [type, places].slice(0, site.outputCount);
    },
    evaluate: (site, [x], types) => {
      const pool = poolIn(site, x!);
      const top = new Float64Array(sizeOf(types[0].shape)).fill(-Infinity);
      const places = new Float64Array(top.length);
      forEachElement(x!, pool, (small, wide) => {
        if (!(x!.numbers[wide] > top[small])) return;
        top[small] = x!.numbers[wide];
        places[small] = wide;
      });
      const columns = intOf(site, "storage_order", 0) === 1;
      const named = columns ? places.map((at) => columnMajor(at, pool.wide)) : places;
      return [top, named].slice(0, types.length);
    },
  };
}

/** The place with each plane counted along its first axis first. */
function columnMajor(at: number, wide: readonly number[]): number {
  const size = sizeOf(wide);
  let rest = at % size;
  let index = 0;
  for (let axis = wide.length - 1; axis >= 0; axis--) {
    index = index * wide[axis] + (rest % wide[axis]);
    rest = Math.floor(rest / wide[axis]);
  }
  return at - (at % size) + index;
}

/** g added where each window's (first) largest element was read. */
function scatterToLargest(g: Value, x: Value, attributes: CallSite["attributes"]): Value {
  const { builder } = x;
  const [, places] = builder.apply("MaxPool", [x], { attributes, outputs: 2 });
  const zeros = expand(builder.literal(0, g.dtype), [sizeOf(x.shape)]);
  const flat = builder.apply("ScatterElements", [zeros, reshape(places, [-1]), reshape(g, [-1])], {
    attributes: { axis: int(0), reduction: string("add") },
  })[0];
  return reshape(flat, x.shape);
}

// --- Means.

/** How many elements each window's sum is divided by. */
function countsOf(site: CallSite, pool: Pool): number[] {
  const { window, wide, small } = pool;
  const [before, after] = [window.pads.slice(0, wide.length), window.pads.slice(wide.length)];
  const padded = intOf(site, "count_include_pad", 0) === 1;
  // With the pads counted, they are elements of a larger image.
  const size = padded ? wide.map((n, i) => n + before[i] + after[i]) : wide;
  const counted = padded ? { ...window, pads: window.pads.map(() => 0) } : window;
  const counts = new Array<number>(sizeOf(small)).fill(0);
  for (const meetings of meetingsOf(counted, size, small)) for (const at of meetings.small) counts[at]++;
  return counts;
}

function averagePoolGradient({ site, inputs: [x], gradients: [g] }: GradientCall): Value[] {
  const pool = poolOf(site, x!);
  const { window, wide, small } = pool;
  const counts = countsOf(site, pool);
  const even = counts.every((n) => n === counts[0]);
  const blocks = sameShape(
    wide,
    small.map((n, i) => n * window.kernel[i]),
  );
  if (even && blocks && sameShape(window.kernel, window.strides) && window.dilations.every((d) => d === 1))
    return [mul(repeated(g!, window.kernel), 1 / counts[0])];
  const weights = constantOf(
    g!.dtype,
    [1, 1, ...small],
    counts.map((n) => 1 / n),
  );
  return [spreadSums(mul(g!, even ? 1 / counts[0] : g!.builder.constant(weights)), x!, pool)];
}

/** Every element repeated `factors` times along the spatial axes. */
function repeated(g: Value, factors: readonly number[]): Value {
  return g.builder.apply("Resize", [g, null, g.builder.literal([1, 1, ...factors], "float32")], {
    attributes: {
      mode: string("nearest"),
      nearest_mode: string("floor"),
      coordinate_transformation_mode: string("asymmetric"),
    },
  })[0];
}

// --- Norms: y = (sum |x|^p)^(1/p).

function lpPool(poolIn: typeof poolOf): Rule {
  return {
    infer: (site, [x]) => [typeOf(x!, poolIn(site, x!))],
    // dy/dx = x |x|^(p-2) y^(1-p)
    gradient: ({ site, inputs: [x], outputs: [y], gradients: [g] }) => {
      const p = intOf(site, "p", 2);
      const pool = poolIn(site, x!);
      if (p === 1) return [mul(sign(x!), spreadSums(g!, x!, pool))];
      const safe = where(equal(y, 0), 1, y);
      const sums = spreadSums(div(g!, pow(safe, p - 1)), x!, pool);
      return [mul(p === 2 ? x! : mul(x!, pow(abs(x!), p - 2)), sums)];
    },
    evaluate: (site, [x], [{ shape }]) => {
      const p = intOf(site, "p", 2);
      const out = new Float64Array(sizeOf(shape));
      forEachElement(x!, poolIn(site, x!), (small, wide) => (out[small] += Math.abs(x!.numbers[wide]) ** p));
      return [out.map((sum) => sum ** (1 / p))];
    },
  };
}

export const pool: RuleFamily = {
  MaxPool: {
    ...maxPool(poolOf),
    gradient: ({ site, inputs: [x], gradients: [g] }) => {
      if (!g) return [null];
      return [scatterToLargest(g, x!, { ...site.attributes, storage_order: int(0) })];
    },
  },
  GlobalMaxPool: {
    ...maxPool(globalPool),
    gradient: ({ inputs: [x], gradients: [g] }) => [
      scatterToLargest(g!, x!, { kernel_shape: ints(x!.shape.slice(2)), storage_order: int(0) }),
    ],
  },
  AveragePool: {
    infer: (site, [x]) => [typeOf(x!, poolOf(site, x!))],
    gradient: averagePoolGradient,
    evaluate: (site, [x], [{ shape }]) => {
      const given = poolOf(site, x!);
      const counts = countsOf(site, given);
      const out = new Float64Array(sizeOf(shape));
      forEachElement(x!, given, (small, wide) => (out[small] += x!.numbers[wide]));
      return [out.map((sum, i) => sum / counts[i % counts.length])];
    },
  },
  GlobalAveragePool: {
    infer: (site, [x]) => [typeOf(x!, globalPool(site, x!))],
    gradient: ({ inputs: [x], gradients: [g] }) => [mul(g!, 1 / sizeOf(x!.shape.slice(2)))],
    evaluate: (_, [x], [{ shape }]) => {
      const size = sizeOf(x!.shape.slice(2));
      const out = new Float64Array(sizeOf(shape));
      x!.numbers.forEach((value, i) => (out[Math.floor(i / size)] += value / size));
      return [out];
    },
  },
  LpPool: lpPool(poolOf),
  GlobalLpPool: lpPool(globalPool),
};
