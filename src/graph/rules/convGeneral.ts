import { sizeOf } from "../../base/tensor.ts";
import { int, intOf, ints, intsOf, stringOf } from "../attributes.ts";
import { flip, pad, slice } from "../ops/indexing.ts";
import { matmul } from "../ops/linear.ts";
import { reduceSum } from "../ops/reduce.ts";
import { concat, reshape, swapLast, transpose } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, InferredType, RuleFamily } from "../rule.ts";
import { check } from "../shapes.ts";
import type { Value } from "../value.ts";
import { conv } from "./conv.ts";
import {
  type Window,
  automatic,
  extentsOf,
  givenWindow,
  halves,
  meetingsOf,
  windowCounts,
  windowOf,
} from "./window.ts";

// Any number of spatial axes, groups, dilations, automatic pads. What conv.ts has a fast gradient for goes there.

/** A call's window over the wide side, the groups, and the sizes of both sides. */
export interface Geometry {
  readonly window: Window;
  readonly group: number;
  /** Spatial sizes of what a convolution reads and a transposed one makes. */
  readonly wide: readonly number[];
  /** Spatial sizes of what a convolution makes and a transposed one reads. */
  readonly small: readonly number[];
}

type Types = readonly (InferredType | null | undefined)[];

/** Checks x's rank and channels against weights whose axis `inAxis` is x's, and one bias an output channel. */
function checkShapes(site: CallSite, [x, weight, bias]: Types, inAxis: 0 | 1): void {
  const [from, to] = [x!.shape, weight!.shape];
  const group = intOf(site, "group", 1);
  const fits =
    from.length >= 3 &&
    to.length === from.length &&
    from[1] === to[inAxis] * (inAxis === 1 ? group : 1) &&
    to[0] % group === 0;
  const grouped = group === 1 ? "" : ` in ${group} groups`;
  check(site, fits, () => `${site.op} of [${from.join(", ")}] by weights [${to.join(", ")}]${grouped}`);
  const out = inAxis === 1 ? to[0] : to[1] * group;
  check(
    site,
    !bias || (bias.shape.length === 1 && bias.shape[0] === out),
    () => `${site.op} wants ${out} biases`,
  );
}

function convGeometry(site: CallSite, inputs: Types): Geometry {
  checkShapes(site, inputs, 1);
  const wide = inputs[0]!.shape.slice(2);
  const window = windowOf(site, inputs[1]!.shape.slice(2), wide);
  const small = windowCounts(site, window, wide);
  return { window, group: intOf(site, "group", 1), wide, small };
}

/**
 * out = stride * (in - 1) + extent + output_padding - pads; or output_shape, and then the pads are what is left over,
 * the larger half in front unless auto_pad is SAME_UPPER.
 * SAME without output_shape makes in * stride, or less where the kernels do not reach as far (as ONNX Runtime has it).
 */
function transposeGeometry(site: CallSite, inputs: Types): Geometry {
  checkShapes(site, inputs, 0);
  const small = inputs[0]!.shape.slice(2);
  const window = givenWindow(site, inputs[1]!.shape.slice(2));
  const extra = intsOf(
    site,
    "output_padding",
    small.map(() => 0),
  );
  check(
    site,
    extra.length === small.length && extra.every((n, i) => n >= 0 && n < window.strides[i]),
    () => `output padding [${extra.join(", ")}] is not below the strides`,
  );
  const whole = reachOf(small, { ...window, pads: window.pads.map(() => 0) }).map((n, i) => n + extra[i]);
  const rank = small.length;
  const mode = automatic(site);
  const same = mode ? small.map((n, i) => Math.min(n * window.strides[i], whole[i])) : null;
  const asked = intsOf(site, "output_shape", same ?? []).slice(-rank);
  check(
    site,
    asked.every((n, i) => n <= whole[i]),
    () => `the output shape [${asked.join(", ")}] is beyond [${whole.join(", ")}], where the kernels end,`,
  );
  const total = asked.map((n, i) => whole[i] - n);
  const pads = asked.length > 0 ? halves(total, mode === "SAME_UPPER") : window.pads;
  const wide = asked.length > 0 ? asked : whole.map((n, i) => n - pads[i] - pads[i + rank]);
  check(
    site,
    wide.every((n) => n > 0),
    () => `pads [${pads.join(", ")}] leave nothing of [${whole.join(", ")}]`,
  );
  return { window: { ...window, pads }, group: intOf(site, "group", 1), wide, small };
}

/** Sizes that a transposed convolution of `small` reaches, without output padding. */
function reachOf(small: readonly number[], window: Window): number[] {
  const { strides, pads, kernel } = window;
  return extentsOf(window).map(
    (extent, i) => (small[i] - 1) * strides[i] + extent - pads[i] - pads[i + kernel.length],
  );
}

// --- Gradients.

function windowed(
  op: "Conv" | "ConvTranspose",
  x: Value,
  weight: Value,
  { kernel, strides, dilations, pads }: Window,
  group: number,
  extra: readonly number[] = [],
): Value {
  const attributes = {
    kernel_shape: ints(kernel),
    strides: ints(strides),
    dilations: ints(dilations),
    pads: ints(pads),
    group: int(group),
  };
  return x.builder.apply(op, [x, weight], {
    attributes: extra.some((n) => n !== 0) ? { ...attributes, output_padding: ints(extra) } : attributes,
  })[0];
}

/** Gradient with respect to the input of a convolution whose output gradient is g. */
export function inputGradient(g: Value, weight: Value, { window, group, wide, small }: Geometry): Value {
  const { strides, pads } = window;
  const room = [...extentsOf(window), ...extentsOf(window)].map((extent, i) => extent - 1 - pads[i]);
  if (strides.every((s) => s === 1) && room.every((n) => n >= 0)) {
    // A convolution by the flipped weights is faster than ConvTranspose in ONNX Runtime.
    return windowed("Conv", g, turned(weight, group), { ...window, pads: room }, group);
  }
  const extra = reachOf(small, window).map((n, i) => wide[i] - n);
  return windowed("ConvTranspose", g, weight, window, group, extra);
}

/** Weights [out, in / group, ...] as [in, out / group, ...], every kernel read backwards. */
function turned(weight: Value, group: number): Value {
  const [out, inner, ...kernel] = weight.shape;
  const flipped = flip(
    weight,
    kernel.map((_, i) => i + 2),
  );
  const grouped = reshape(flipped, [group, out / group, inner, ...kernel]);
  const swapped = transpose(grouped, [0, 2, 1, ...kernel.map((_, i) => i + 3)]);
  return reshape(swapped, [group * inner, out / group, ...kernel]);
}

/** Gradient with respect to the weights: for each tap, one matrix product (per group) of g and the elements it touches. */
function weightGradient(g: Value, x: Value, { window, group, small }: Geometry): Value {
  const { kernel, strides, dilations, pads } = window;
  const rank = kernel.length;
  const [out, inner] = [g.shape[1] / group, x.shape[1] / group];
  const byChannel = [1, 0, ...kernel.map((_, i) => i + 2)];
  const flatG = reshape(transpose(g, byChannel), [group, out, -1]);
  const padded = pad(x, [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)]);
  const channels = transpose(padded, byChannel);

  const taps = offsetsOf(kernel).map((tap) => {
    const cuts = tap.map((at, i) => {
      const start = at * dilations[i];
      return { axis: i + 2, start, end: start + (small[i] - 1) * strides[i] + 1, step: strides[i] };
    });
    const touched = reshape(slice(channels, cuts), [group, inner, -1]);
    return reshape(matmul(flatG, swapLast(touched)), [group * out, inner, 1]);
  });
  return reshape(concat(taps, 2), [group * out, inner, ...kernel]);
}

/** Every position in a kernel, in row-major order. */
function offsetsOf(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (list, size) => list.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i])),
    [[]],
  );
}

const biasGradient = (g: Value): Value =>
  reduceSum(
    g,
    g.shape.map((_, i) => i).filter((axis) => axis !== 1),
  );

function convGradient({ site, inputs, gradients: [g], wanted }: GradientCall): (Value | null)[] {
  const [x, weight, bias] = inputs;
  const geometry = convGeometry(site, inputs);
  return [
    wanted[0] ? inputGradient(g!, weight!, geometry) : null,
    wanted[1] ? weightGradient(g!, x!, geometry) : null,
    bias && wanted[2] ? biasGradient(g!) : null,
  ];
}

/**
 * ConvTranspose is the transpose of Conv: its gradients are those of Conv with input and gradient exchanged. What output
 * padding adds is less than a stride, so it starts no further window.
 */
function convTransposeGradient({ site, inputs, gradients: [g], wanted }: GradientCall): (Value | null)[] {
  const [x, weight, bias] = inputs;
  const geometry = transposeGeometry(site, inputs);
  return [
    wanted[0] ? windowed("Conv", g!, weight!, geometry.window, geometry.group) : null,
    wanted[1] ? weightGradient(x!, g!, geometry) : null,
    bias && wanted[2] ? biasGradient(g!) : null,
  ];
}

/** Whether conv.ts has a gradient for the call: two spatial axes, one group, no dilation, pads as given. */
function isPlain(site: CallSite, weight: Value): boolean {
  return (
    weight.shape.length === 4 &&
    intOf(site, "group", 1) === 1 &&
    intsOf(site, "dilations", [1, 1]).every((d) => d === 1) &&
    stringOf(site, "auto_pad", "NOTSET") === "NOTSET" &&
    site.attributes.output_shape === undefined
  );
}

// --- The host reference.

/**
 * Calls `visit` once for each sample, small channel, wide channel and tap, with the flat indices of the weight and of the
 * first element of the two channels, and the positions in them that meet.
 */
function forEachTap(
  batch: number,
  weight: readonly number[],
  { window, group, wide, small }: Geometry,
  visit: (
    at: { weight: number; wide: number; small: number },
    small: readonly number[],
    wide: readonly number[],
  ) => void,
): void {
  const taps = meetingsOf(window, wide, small);
  const [channels, inner] = weight;
  for (let n = 0; n < batch; n++)
    for (let o = 0; o < channels; o++)
      for (let c = 0; c < inner; c++) {
        const wideChannel = Math.floor(o / (channels / group)) * inner + c;
        const at = {
          wide: (n * group * inner + wideChannel) * sizeOf(wide),
          small: (n * channels + o) * sizeOf(small),
        };
        taps.forEach((meetings, tap) => {
          visit({ ...at, weight: (o * inner + c) * taps.length + tap }, meetings.small, meetings.wide);
        });
      }
}

/** The bias of each output channel everywhere, 0 without one. */
function filled(
  [batch, channels, ...spatial]: readonly number[],
  bias: HostInput | null | undefined,
): Float64Array {
  const size = sizeOf(spatial);
  const out = new Float64Array(batch * channels * size);
  if (bias) for (let i = 0; i < out.length; i++) out[i] = bias.numbers[Math.floor(i / size) % channels];
  return out;
}

export const convolution: RuleFamily = {
  Conv: {
    infer: (site, inputs) => {
      const { small } = convGeometry(site, inputs);
      const [x, weight] = inputs;
      return [{ dtype: x!.dtype, shape: [x!.shape[0], weight!.shape[0], ...small] }];
    },
    gradient: (call) =>
      isPlain(call.site, call.inputs[1]!) ? conv.Conv.gradient!(call) : convGradient(call),
    evaluate: (site, inputs, [{ shape }]) => {
      const [x, weight, bias] = inputs;
      const out = filled(shape, bias);
      forEachTap(shape[0], weight!.shape, convGeometry(site, inputs), (at, small, wide) => {
        const w = weight!.numbers[at.weight];
        for (let i = 0; i < small.length; i++) out[at.small + small[i]] += w * x!.numbers[at.wide + wide[i]];
      });
      return [out];
    },
  },
  ConvTranspose: {
    infer: (site, inputs) => {
      const { wide, group } = transposeGeometry(site, inputs);
      const [x, weight] = inputs;
      return [{ dtype: x!.dtype, shape: [x!.shape[0], weight!.shape[1] * group, ...wide] }];
    },
    gradient: (call) =>
      isPlain(call.site, call.inputs[1]!) ? conv.ConvTranspose.gradient!(call) : convTransposeGradient(call),
    evaluate: (site, inputs, [{ shape }]) => {
      const [x, weight, bias] = inputs;
      const out = filled(shape, bias);
      forEachTap(shape[0], weight!.shape, transposeGeometry(site, inputs), (at, small, wide) => {
        const w = weight!.numbers[at.weight];
        for (let i = 0; i < small.length; i++) out[at.wide + wide[i]] += w * x!.numbers[at.small + small[i]];
      });
      return [out];
    },
  },
};
