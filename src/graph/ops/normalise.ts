import { float, floatOf, int, intOf } from "../attributes.ts";
import { dataOf, numbersOf } from "../constant.ts";
import type { Constant } from "../graph.ts";
import type { CallSite, GradientCall, Rule, RuleFamily } from "../rule.ts";
import { axisOf, check, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";
import { add, div, exp, mul, sqrt, square, sub } from "./elementwise.ts";
import { reduceMean, reduceSum } from "./reduce.ts";
import { reshape } from "./reshape.ts";

// --- Traced functions.

/** exp(x) / sum exp(x) along `axis`. */
export function softmax(x: Value, axis = -1): Value {
  return x.builder.apply("Softmax", [x], { attributes: { axis: int(axisOf(axis, x.shape.length)) } })[0];
}

/** log softmax along `axis`. */
export function logSoftmax(x: Value, axis = -1): Value {
  return x.builder.apply("LogSoftmax", [x], { attributes: { axis: int(axisOf(axis, x.shape.length)) } })[0];
}

/** Each (sample, channel) to mean 0 and variance 1 over its other axes, then scale * x + bias by channel. */
export function instanceNorm(x: Value, scale: Value, bias: Value, epsilon = 1e-5): Value {
  return x.builder.apply("InstanceNormalization", [x, scale, bias], { attributes: { epsilon: float(epsilon) } })[0];
}

/**
 * Group norm: channels in `groups` groups, each to mean 0 and variance 1 over channels and space, then scale * x + bias.
 * x [batch, channels, h, w]; scale and bias [channels], or [batch, channels] to modulate by sample.
 */
export function groupNorm(x: Value, groups: number, scale: Value, bias: Value, epsilon = 1e-5): Value {
  const { builder } = x;
  const [batch, channels] = x.shape;
  const one = builder.literal(new Array<number>(groups).fill(1), x.dtype);
  const zero = builder.literal(new Array<number>(groups).fill(0), x.dtype);
  const normal = reshape(instanceNorm(reshape(x, [batch, groups, -1]), one, zero, epsilon), x.shape);
  const rows = scale.shape.length === 2 ? batch : 1;
  return add(mul(normal, reshape(scale, [rows, channels, 1, 1])), reshape(bias, [rows, channels, 1, 1]));
}

// --- Rules.

function alongAxis(site: Pick<CallSite, "attributes" | "name"> & { opset?: number }, rank: number): number {
  return axisOf(intOf(site, "axis", -1), rank);
}

function softmaxRule(log: boolean): Rule {
  return {
    infer: (site, [x]) => {
      check(site, site.opset >= 13, () => "Softmax before opset 13 has no rule");
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: ({ call, outputs: [y], gradients: [g] }) => {
      const axis = [alongAxis(call, y.shape.length)];
      if (log) return [sub(g!, mul(exp(y), reduceSum(g!, axis, { keep: true })))];
      return [mul(y, sub(g!, reduceSum(mul(g!, y), axis, { keep: true })))];
    },
    evaluate: (site, [x]) => [evaluateSoftmax(x!, alongAxis(site, x!.shape.length), log)],
  };
}

function evaluateSoftmax(x: Constant, axis: number, log: boolean): Constant {
  const out = numbersOf(x);
  const [stride, dim] = [stridesOf(x.shape)[axis], x.shape[axis]];
  for (let start = 0; start < out.length; start++) {
    if (Math.floor(start / stride) % dim !== 0) continue;
    const at = Array.from({ length: dim }, (_, i) => start + i * stride);
    const top = Math.max(...at.map((i) => out[i]));
    const total = at.reduce((sum, i) => sum + Math.exp(out[i] - top), 0);
    for (const i of at) out[i] = log ? out[i] - top - Math.log(total) : Math.exp(out[i] - top) / total;
  }
  return { dtype: x.dtype, shape: x.shape, data: dataOf(x.dtype, out) };
}

function instanceNormGradient({ call, inputs, gradients: [g], wanted }: GradientCall): (Value | null)[] {
  const [x, scale, bias] = [inputs[0]!, inputs[1]!, inputs[2]!];
  const axes = x.shape.map((_, i) => i).slice(2);
  const byChannel = (v: Value): Value => reshape(v, [1, v.shape[0], ...axes.map(() => 1)]);

  const mean = reduceMean(x, axes, { keep: true });
  const centred = sub(x, mean);
  const variance = reduceMean(square(centred), axes, { keep: true });
  const std = sqrt(add(variance, floatOf(call, "epsilon", 1e-5)));
  const normal = div(centred, std);

  const overRest = [0, ...axes];
  const dScale = wanted[1] ? reduceSum(mul(g!, normal), overRest) : null;
  const dBias = wanted[2] ? reduceSum(g!, overRest) : null;
  if (!wanted[0]) return [null, dScale, dBias];

  // dx = scale / std * (g - mean(g) - normal * mean(g * normal))
  const meanG = reduceMean(g!, axes, { keep: true });
  const meanGN = reduceMean(mul(g!, normal), axes, { keep: true });
  const inner = sub(sub(g!, meanG), mul(normal, meanGN));
  return [mul(inner, div(byChannel(scale), std)), dScale && reshape(dScale, scale.shape), dBias && reshape(dBias, bias.shape)];
}

function evaluateInstanceNorm(site: CallSite, x: Constant, scale: Constant, bias: Constant): Constant {
  const out = numbersOf(x);
  const [channels, epsilon] = [x.shape[1], floatOf(site, "epsilon", 1e-5)];
  const size = out.length / (x.shape[0] * channels);
  const [a, b] = [numbersOf(scale), numbersOf(bias)];
  for (let start = 0; start < out.length; start += size) {
    const part = out.subarray(start, start + size);
    const mean = part.reduce((s, v) => s + v, 0) / size;
    const variance = part.reduce((s, v) => s + (v - mean) ** 2, 0) / size;
    const channel = (start / size) % channels;
    part.forEach((v, i) => (part[i] = ((v - mean) / Math.sqrt(variance + epsilon)) * a[channel] + b[channel]));
  }
  return { dtype: x.dtype, shape: x.shape, data: dataOf(x.dtype, out) };
}

export const normalise: RuleFamily = {
  Softmax: softmaxRule(false),
  LogSoftmax: softmaxRule(true),
  InstanceNormalization: {
    infer: (_, [x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    gradient: instanceNormGradient,
    evaluate: (site, [x, scale, bias]) => [evaluateInstanceNorm(site, x!, scale!, bias!)],
  },
};
