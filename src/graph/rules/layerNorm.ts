import { floatOf, intOf, intsOf } from "../attributes.ts";
import type { DataType } from "../graph.ts";
import { add, cast, div, mul, neg, reciprocal, sqrt, square, sub } from "../ops/elementwise.ts";
import { reduceMean, reduceSum, sumTo } from "../ops/reduce.ts";
import { reshape } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, InferredType, RuleFamily } from "../rule.ts";
import { axisOf, broadcastIndex, broadcastShapes, check, sameShape } from "../shapes.ts";
import type { Value } from "../value.ts";
import { momentsOf, standardise, throughStandardise } from "./standardise.ts";

// Normalisations of each sample: LayerNormalization, RMSNormalization, GroupNormalization, MeanVarianceNormalization.

const epsilonOf = (site: CallSite): number => floatOf(site, "epsilon", 1e-5);

/** The axes from `axis` on. */
function lastAxes(site: CallSite, { shape }: Pick<InferredType, "shape">): number[] {
  const first = axisOf(site, intOf(site, "axis", -1), shape.length);
  return shape.map((_, i) => i).slice(first);
}

/** The type statistics are kept in: halves are too coarse to sum. */
const stashType = (dtype: DataType): DataType =>
  dtype === "float16" || dtype === "bfloat16" ? "float32" : dtype;

function checkBroadcast(site: CallSite, x: InferredType, factor: InferredType | null | undefined): void {
  if (!factor) return;
  check(
    site,
    factor.shape.length <= x.shape.length && sameShape(broadcastShapes(site, x.shape, factor.shape), x.shape),
    () => `${site.op} of [${x.shape.join(", ")}] by [${factor.shape.join(", ")}]`,
  );
}

function layerNormTypes(site: CallSite, [x, scale, bias]: readonly (InferredType | null)[]): InferredType[] {
  checkBroadcast(site, x!, scale);
  checkBroadcast(site, x!, bias);
  const axes = lastAxes(site, x!);
  const kept = x!.shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const statistic = { dtype: stashType(x!.dtype), shape: kept };
  return [{ dtype: x!.dtype, shape: x!.shape }, statistic, statistic].slice(0, site.outputCount);
}

/** y = normal * scale + bias, the mean, and 1 / std. */
function layerNormGradient({ site, inputs, gradients, wanted }: GradientCall): (Value | null)[] {
  const [x, scale, bias] = inputs;
  const axes = lastAxes(site, x!);
  const work = stashType(x!.dtype);
  const whole = standardise(cast(x!, work), axes, epsilonOf(site));
  const [g, gMean, gInverse] = gradients.map((value) => value && cast(value, work));

  const parts: Value[] = [];
  if (g) parts.push(throughStandardise(mul(g, cast(scale!, work)), whole, axes));
  const count = axes.reduce((n, axis) => n * x!.shape[axis], 1);
  if (gMean) parts.push(mul(gMean, 1 / count));
  // d(1 / std)/dx = -normal / (count * std^2)
  if (gInverse) parts.push(mul(neg(whole.normal), div(mul(gInverse, 1 / count), square(whole.std))));
  return [
    wanted[0]
      ? cast(
          parts.reduce((a, b) => add(a, b)),
          x!.dtype,
        )
      : null,
    g && wanted[1] ? cast(sumTo(mul(g, whole.normal), scale!.shape), scale!.dtype) : null,
    g && bias && wanted[2] ? cast(sumTo(g, bias.shape), bias.dtype) : null,
  ];
}

/** y = normal * scale with normal = x / sqrt(mean(x^2) + epsilon). */
function rmsNormGradient({ site, inputs, gradients, wanted }: GradientCall): (Value | null)[] {
  const [x, scale] = inputs;
  const axes = lastAxes(site, x!);
  const work = stashType(x!.dtype);
  const [input, g] = [cast(x!, work), cast(gradients[0]!, work)];
  const inverse = reciprocal(sqrt(add(reduceMean(square(input), axes, { keep: true }), epsilonOf(site))));
  const normal = mul(input, inverse);
  const gs = mul(g, cast(scale!, work));
  const meanGN = reduceMean(mul(gs, normal), axes, { keep: true });
  return [
    wanted[0] ? cast(mul(sub(gs, mul(normal, meanGN)), inverse), x!.dtype) : null,
    wanted[1] ? cast(sumTo(mul(g, normal), scale!.shape), scale!.dtype) : null,
  ];
}

// --- Groups of channels.

/** Groups, and how many numbers scale and bias have: one a group before opset 21, one a channel since. */
function groupsOf(site: CallSite, [x, scale, bias]: readonly (Pick<InferredType, "shape"> | null)[]): number {
  const groups = intOf(site, "num_groups", 0);
  const channels = x!.shape[1];
  const factors = site.opset < 21 ? groups : channels;
  const fits =
    x!.shape.length >= 2 &&
    groups > 0 &&
    channels % groups === 0 &&
    [scale, bias].every((v) => sameShape(v!.shape, [factors]));
  check(
    site,
    fits,
    () =>
      `GroupNormalization of [${x!.shape.join(", ")}] in ${groups} groups by [${scale!.shape.join(", ")}] ` +
      `(${site.opset < 21 ? "one a group before opset 21" : "one a channel since opset 21"})`,
  );
  return groups;
}

function groupNormGradient({ site, inputs, gradients, wanted }: GradientCall): (Value | null)[] {
  const [x, scale, bias] = inputs;
  const groups = groupsOf(site, inputs);
  const work = stashType(x!.dtype);
  const g = cast(gradients[0]!, work);
  const [batch] = x!.shape;
  const whole = standardise(reshape(cast(x!, work), [batch, groups, -1]), [2], epsilonOf(site));
  /** With an axis for what scale and bias count, behind the samples. */
  const byFactor = (value: Value): Value => reshape(value, [batch, scale!.shape[0], -1]);
  const gs = mul(byFactor(g), reshape(cast(scale!, work), [1, -1, 1]));
  return [
    wanted[0]
      ? cast(reshape(throughStandardise(reshape(gs, [batch, groups, -1]), whole, [2]), x!.shape), x!.dtype)
      : null,
    wanted[1] ? cast(reduceSum(mul(byFactor(g), byFactor(whole.normal)), [0, 2]), scale!.dtype) : null,
    wanted[2] ? cast(reduceSum(byFactor(g), [0, 2]), bias!.dtype) : null,
  ];
}

function evaluateGroupNorm(site: CallSite, inputs: readonly (HostInput | null)[]): Float64Array {
  const [x, scale, bias] = inputs;
  const groups = groupsOf(site, inputs);
  const shape = [x!.shape[0], groups, x!.numbers.length / (x!.shape[0] * groups)];
  const { groupOf, mean, variance } = momentsOf({ ...x!, shape }, [2]);
  const factors = scale!.numbers.length;
  const size = x!.numbers.length / (x!.shape[0] * factors);
  return x!.numbers.map((value, i) => {
    const normal = (value - mean[groupOf(i)]) / Math.sqrt(variance[groupOf(i)] + epsilonOf(site));
    const factor = Math.floor(i / size) % factors;
    return normal * scale!.numbers[factor] + bias!.numbers[factor];
  });
}

/** MeanVarianceNormalization divides by std + this. */
const TINY = 1e-9;
const mvnAxes = (site: CallSite): readonly number[] => intsOf(site, "axes", [0, 2, 3]);

function mvnReduced(site: CallSite, { shape }: Pick<InferredType, "shape">): number[] {
  return mvnAxes(site).map((axis) => axisOf(site, axis, shape.length));
}

export const layerNorm: RuleFamily = {
  LayerNormalization: {
    infer: layerNormTypes,
    gradient: layerNormGradient,
    evaluate: (site, [x, scale, bias], types) => {
      const { groupOf, mean, variance } = momentsOf(x!, lastAxes(site, x!));
      const inverse = variance.map((v) => 1 / Math.sqrt(v + epsilonOf(site)));
      const scaleAt = broadcastIndex(scale!.shape, x!.shape);
      const biasAt = bias ? broadcastIndex(bias.shape, x!.shape) : null;
      const y = x!.numbers.map((value, i) => {
        const normal = (value - mean[groupOf(i)]) * inverse[groupOf(i)];
        return normal * scale!.numbers[scaleAt(i)] + (biasAt ? bias!.numbers[biasAt(i)] : 0);
      });
      return [y, mean, inverse].slice(0, types.length);
    },
  },
  RMSNormalization: {
    infer: (site, [x, scale]) => {
      checkBroadcast(site, x!, scale);
      lastAxes(site, x!);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: rmsNormGradient,
    evaluate: (site, [x, scale]) => {
      const { groupOf, power } = momentsOf(x!, lastAxes(site, x!));
      const scaleAt = broadcastIndex(scale!.shape, x!.shape);
      return [
        x!.numbers.map(
          (value, i) => (value / Math.sqrt(power[groupOf(i)] + epsilonOf(site))) * scale!.numbers[scaleAt(i)],
        ),
      ];
    },
  },
  GroupNormalization: {
    infer: (site, inputs) => {
      groupsOf(site, inputs);
      return [{ dtype: inputs[0]!.dtype, shape: inputs[0]!.shape }];
    },
    gradient: groupNormGradient,
    evaluate: (site, inputs) => [evaluateGroupNorm(site, inputs)],
  },
  MeanVarianceNormalization: {
    infer: (site, [x]) => {
      mvnReduced(site, x!);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: ({ site, inputs: [x], gradients: [g] }) => {
      const axes = mvnReduced(site, x!);
      // The square of what is added stands in for it, so that a constant x, too, has a gradient.
      return [throughStandardise(g!, standardise(x!, axes, TINY * TINY), axes)];
    },
    evaluate: (site, [x]) => {
      const { groupOf, mean, variance } = momentsOf(x!, mvnReduced(site, x!));
      return [
        x!.numbers.map((value, i) => (value - mean[groupOf(i)]) / (Math.sqrt(variance[groupOf(i)]) + TINY)),
      ];
    },
  },
};
