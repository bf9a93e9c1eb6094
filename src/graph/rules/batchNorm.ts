import { floatOf, intOf } from "../attributes.ts";
import { add, div, mul, neg, sqrt, sub } from "../ops/elementwise.ts";
import { reduceSum } from "../ops/reduce.ts";
import { reshape } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, InferredType, RuleFamily } from "../rule.ts";
import { check, sameShape } from "../shapes.ts";
import type { Value } from "../value.ts";
import { momentsOf, standardise, throughStandardise } from "./standardise.ts";

const epsilonOf = (site: CallSite): number => floatOf(site, "epsilon", 1e-5);
const momentumOf = (site: CallSite): number => floatOf(site, "momentum", 0.9);
const trains = (site: CallSite): boolean => intOf(site, "training_mode", 0) === 1;

/** All axes but the channels'. */
const others = ({ shape }: Pick<InferredType, "shape">): number[] =>
  shape.map((_, i) => i).filter((i) => i !== 1);

function typesOf(site: CallSite, [x, ...factors]: readonly (InferredType | null)[]): InferredType[] {
  const channels = x!.shape[1];
  const fits =
    x!.shape.length >= 2 && factors.length === 4 && factors.every((v) => v && sameShape(v.shape, [channels]));
  const given = factors.map((v) => `[${v?.shape.join(", ") ?? ""}]`).join(", ");
  check(site, fits, () => `BatchNormalization of [${x!.shape.join(", ")}] by ${given}`);
  check(
    site,
    site.outputCount === 1 || trains(site),
    () => "BatchNormalization has running statistics as outputs only with training_mode 1,",
  );
  const [mean, variance] = factors
    .slice(2)
    .map((v): InferredType => ({ dtype: v!.dtype, shape: [channels] }));
  return [{ dtype: x!.dtype, shape: x!.shape }, mean, variance].slice(0, site.outputCount);
}

/** y = (x - mean) * scale / std + bias with statistics given, std = sqrt(variance + epsilon). */
function inferenceGradient({ site, inputs, gradients: [g], wanted }: GradientCall): (Value | null)[] {
  const [x, scale, , mean, variance] = inputs;
  const byChannel = (v: Value): Value => reshape(v, [1, -1, ...x!.shape.slice(2).map(() => 1)]);
  const std = sqrt(add(variance!, epsilonOf(site)));
  const factor = div(scale!, std);
  const sum = reduceSum(g!, others(x!));
  const sumN =
    wanted[1] || wanted[4] ? div(reduceSum(mul(g!, sub(x!, byChannel(mean!))), others(x!)), std) : null;
  return [
    wanted[0] ? mul(g!, byChannel(factor)) : null,
    wanted[1] ? sumN : null,
    wanted[2] ? sum : null,
    wanted[3] ? neg(mul(sum, factor)) : null,
    wanted[4] ? mul(div(mul(sumN!, factor), std), -0.5) : null,
  ];
}

/**
 * The same with the batch's own statistics; and running = momentum * given + (1 - momentum) * the batch's, of the mean and
 * of the (population) variance.
 */
function trainingGradient({ site, inputs, gradients, wanted }: GradientCall): (Value | null)[] {
  const [x, scale] = inputs;
  const [g, gMean, gVariance] = gradients;
  const axes = others(x!);
  const byChannel = (v: Value): Value => reshape(v, [1, -1, ...x!.shape.slice(2).map(() => 1)]);
  const whole = standardise(x!, axes, epsilonOf(site));
  const momentum = momentumOf(site);
  const share = (1 - momentum) / axes.reduce((n, axis) => n * x!.shape[axis], 1);

  const parts: Value[] = [];
  if (g) parts.push(throughStandardise(mul(g, byChannel(scale!)), whole, axes));
  if (gMean) parts.push(mul(byChannel(gMean), share));
  if (gVariance) parts.push(mul(whole.centred, mul(byChannel(gVariance), 2 * share)));
  return [
    wanted[0] ? parts.reduce((a, b) => add(a, b)) : null,
    g && wanted[1] ? reduceSum(mul(g, whole.normal), axes) : null,
    g && wanted[2] ? reduceSum(g, axes) : null,
    gMean && wanted[3] ? mul(gMean, momentum) : null,
    gVariance && wanted[4] ? mul(gVariance, momentum) : null,
  ];
}

function evaluate(
  site: CallSite,
  [x, scale, bias, mean, variance]: readonly (HostInput | null)[],
): Float64Array[] {
  const own = trains(site) ? momentsOf(x!, others(x!)) : null;
  const [m, v] = own ? [own.mean, own.variance] : [mean!.numbers, variance!.numbers];
  const [channels, size] = [x!.shape[1], x!.shape.slice(2).reduce((a, b) => a * b, 1)];
  const y = x!.numbers.map((value, i) => {
    const c = Math.floor(i / size) % channels;
    return ((value - m[c]) / Math.sqrt(v[c] + epsilonOf(site))) * scale!.numbers[c] + bias!.numbers[c];
  });
  const momentum = momentumOf(site);
  const running = (given: HostInput, batch: Float64Array): Float64Array =>
    given.numbers.map((n, c) => momentum * n + (1 - momentum) * batch[c]);
  return [y, running(mean!, m), running(variance!, v)].slice(0, site.outputCount);
}

export const batchNorm: RuleFamily = {
  BatchNormalization: {
    infer: typesOf,
    gradient: (call) => (trains(call.site) ? trainingGradient(call) : inferenceGradient(call)),
    evaluate,
  },
};
