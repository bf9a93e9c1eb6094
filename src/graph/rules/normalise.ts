import { floatOf, intOf } from "../attributes.ts";
import { add, div, exp, mul, sqrt, square, sub } from "../ops/elementwise.ts";
import { reduceMean, reduceSum } from "../ops/reduce.ts";
import { reshape } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, Rule, RuleFamily } from "../rule.ts";
import { axisOf, check, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";

function axisIn(site: CallSite, shape: readonly number[]): number {
  return axisOf(site, intOf(site, "axis", -1), shape.length);
}

function softmaxRule(log: boolean): Rule {
  return {
    infer: (site, [x]) => {
      axisIn(site, x!.shape);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: ({ site, outputs: [y], gradients: [g] }) => {
      const axis = [axisIn(site, y.shape)];
      if (log) return [sub(g!, mul(exp(y), reduceSum(g!, axis, { keep: true })))];
      return [mul(y, sub(g!, reduceSum(mul(g!, y), axis, { keep: true })))];
    },
    evaluate: (site, [x]) => [evaluateSoftmax(x!, axisIn(site, x!.shape), log)],
  };
}

function evaluateSoftmax(x: HostInput, axis: number, log: boolean): Float64Array {
  const out = x.numbers.slice();
  const [stride, dim] = [stridesOf(x.shape)[axis], x.shape[axis]];
  for (let start = 0; start < out.length; start++) {
    if (Math.floor(start / stride) % dim !== 0) continue;
    const at = Array.from({ length: dim }, (_, i) => start + i * stride);
    const top = Math.max(...at.map((i) => out[i]));
    const total = at.reduce((sum, i) => sum + Math.exp(out[i] - top), 0);
    for (const i of at) out[i] = log ? out[i] - top - Math.log(total) : Math.exp(out[i] - top) / total;
  }
  return out;
}

function instanceNormGradient({ site, inputs, gradients: [g], wanted }: GradientCall): (Value | null)[] {
  const [x, scale] = [inputs[0]!, inputs[1]!];
  const axes = x.shape.map((_, i) => i).slice(2);

  const centred = sub(x, reduceMean(x, axes, { keep: true }));
  const variance = reduceMean(square(centred), axes, { keep: true });
  const std = sqrt(add(variance, floatOf(site, "epsilon", 1e-5)));
  const normal = div(centred, std);

  const dScale = wanted[1] ? reduceSum(mul(g!, normal), [0, ...axes]) : null;
  const dBias = wanted[2] ? reduceSum(g!, [0, ...axes]) : null;
  if (!wanted[0]) return [null, dScale, dBias];

  // dx = scale / std * (g - mean(g) - normal * mean(g * normal))
  const meanG = reduceMean(g!, axes, { keep: true });
  const meanGN = reduceMean(mul(g!, normal), axes, { keep: true });
  const inner = sub(sub(g!, meanG), mul(normal, meanGN));
  const byChannel = reshape(scale, [1, scale.shape[0], ...axes.map(() => 1)]);
  return [mul(inner, div(byChannel, std)), dScale, dBias];
}

function evaluateInstanceNorm(site: CallSite, x: HostInput, scale: HostInput, bias: HostInput): Float64Array {
  const out = x.numbers.slice();
  const [channels, epsilon] = [x.shape[1], floatOf(site, "epsilon", 1e-5)];
  const size = out.length / (x.shape[0] * channels);
  for (let start = 0; start < out.length; start += size) {
    const part = out.subarray(start, start + size);
    const mean = part.reduce((s, v) => s + v, 0) / size;
    const variance = part.reduce((s, v) => s + (v - mean) ** 2, 0) / size;
    const channel = (start / size) % channels;
    const factor = scale.numbers[channel] / Math.sqrt(variance + epsilon);
    part.forEach((v, i) => (part[i] = (v - mean) * factor + bias.numbers[channel]));
  }
  return out;
}

export const normalise: RuleFamily = {
  Softmax: softmaxRule(false),
  LogSoftmax: softmaxRule(true),
  InstanceNormalization: {
    infer: (site, [x, scale, bias]) => {
      const fits = x!.shape.length > 2 && [scale, bias].every((v) => v!.shape[0] === x!.shape[1]);
      check(site, fits, () => `instance norm of [${x!.shape.join(", ")}] by ${scale!.shape[0]} scales`);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: instanceNormGradient,
    evaluate: (site, [x, scale, bias]) => [evaluateInstanceNorm(site, x!, scale!, bias!)],
  },
};
