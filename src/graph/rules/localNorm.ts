import { floatOf, intOf } from "../attributes.ts";
import { constantOf } from "../constant.ts";
import { abs, add, div, equal, mul, pow, sign, sqrt, square, sub, where } from "../ops/elementwise.ts";
import { matmul } from "../ops/linear.ts";
import { reduceSum } from "../ops/reduce.ts";
import { reshape } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, InferredType, RuleFamily } from "../rule.ts";
import { axisOf, check } from "../shapes.ts";
import type { Value } from "../value.ts";
import { momentsOf } from "./standardise.ts";

// --- LRN: y = x * s^-beta with s = bias + alpha / size * (sum of squares over the channels around).

interface Response {
  readonly factor: number;
  readonly beta: number;
  readonly bias: number;
  /** Channels summed before and behind each. */
  readonly before: number;
  readonly behind: number;
}

function responseOf(site: CallSite, { shape }: Pick<InferredType, "shape">): Response {
  const size = intOf(site, "size", 0);
  check(site, size > 0 && shape.length >= 2, () => `LRN over ${size} channels of [${shape.join(", ")}]`);
  return {
    factor: floatOf(site, "alpha", 1e-4) / size,
    beta: floatOf(site, "beta", 0.75),
    bias: floatOf(site, "bias", 1),
    before: Math.floor((size - 1) / 2),
    behind: Math.ceil((size - 1) / 2),
  };
}

const near = ({ before, behind }: Response, channel: number, other: number): boolean =>
  other >= channel - before && other <= channel + behind;

/** v summed over the channels around each; with `turned`, over the channels that each is around of. */
function sumAround(v: Value, response: Response, turned = false): Value {
  const [batch, channels] = v.shape;
  const band = Array.from({ length: channels ** 2 }, (_, i) => {
    const [c, other] = [Math.floor(i / channels), i % channels];
    return Number(turned ? near(response, other, c) : near(response, c, other));
  });
  const matrix = v.builder.constant(constantOf(v.dtype, [channels, channels], band));
  return reshape(matmul(matrix, reshape(v, [batch, channels, -1])), v.shape);
}

function lrnGradient({ site, inputs: [x], gradients: [g] }: GradientCall): Value[] {
  const response = responseOf(site, x!);
  const { factor, beta, bias } = response;
  const s = add(mul(sumAround(square(x!), response), factor), bias);
  const own = mul(g!, pow(s, -beta));
  const through = sumAround(div(mul(own, x!), s), response, true);
  return [sub(own, mul(mul(x!, 2 * factor * beta), through))];
}

function evaluateLrn(site: CallSite, x: HostInput): Float64Array {
  const response = responseOf(site, x);
  const [channels, size] = [x.shape[1], x.shape.slice(2).reduce((a, b) => a * b, 1)];
  return x.numbers.map((value, i) => {
    const c = Math.floor(i / size) % channels;
    let sum = 0;
    for (let other = 0; other < channels; other++)
      if (near(response, c, other)) sum += x.numbers[i + (other - c) * size] ** 2;
    return value * (response.bias + response.factor * sum) ** -response.beta;
  });
}

// --- LpNormalization: y = x / |x|_p along an axis, 0 where the norm is 0.

function lpOf(site: CallSite, { shape }: Pick<InferredType, "shape">): { p: number; axis: number } {
  const p = intOf(site, "p", 2);
  check(site, p === 1 || p === 2, () => `LpNormalization has no norm ${p}, only 1 and 2,`);
  return { p, axis: axisOf(site, intOf(site, "axis", -1), shape.length) };
}

/** dx = (g - slope * sum(g * y)) / norm, slope the norm's: sign(x) or y. */
function lpGradient({ site, inputs: [x], gradients: [g] }: GradientCall): Value[] {
  const { p, axis } = lpOf(site, x!);
  const keep = { keep: true };
  const total = p === 1 ? reduceSum(abs(x!), [axis], keep) : reduceSum(square(x!), [axis], keep);
  const safe = where(equal(total, 0), 1, total);
  const norm = p === 1 ? safe : sqrt(safe);
  const y = div(x!, norm);
  const along = reduceSum(mul(g!, y), [axis], keep);
  return [div(sub(g!, mul(p === 1 ? sign(x!) : y, along)), norm)];
}

export const localNorm: RuleFamily = {
  LRN: {
    infer: (site, [x]) => {
      responseOf(site, x!);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: lrnGradient,
    evaluate: (site, [x]) => [evaluateLrn(site, x!)],
  },
  LpNormalization: {
    infer: (site, [x]) => {
      lpOf(site, x!);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: lpGradient,
    evaluate: (site, [x]) => {
      const { p, axis } = lpOf(site, x!);
      const powers = { ...x!, numbers: x!.numbers.map((value) => Math.abs(value) ** p) };
      const { groupOf, mean } = momentsOf(powers, [axis]);
      const norms = mean.map((m) => (m * x!.shape[axis]) ** (1 / p));
      return [x!.numbers.map((value, i) => (value === 0 ? 0 : value / norms[groupOf(i)]))];
    },
  },
};
