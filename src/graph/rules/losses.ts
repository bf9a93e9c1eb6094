import { sizeOf } from "../../base/tensor.ts";
import { intOf, stringOf } from "../attributes.ts";
import { cast, div, equal, mul, neg, where } from "../ops/elementwise.ts";
import { gather } from "../ops/indexing.ts";
import { logSoftmax } from "../ops/normalise.ts";
import { reduceSum } from "../ops/reduce.ts";
import { expand, reshape } from "../ops/reshape.ts";
import type { CallSite, RuleFamily } from "../rule.ts";
import { check } from "../shapes.ts";
import type { Value } from "../value.ts";

/**
 * -weight[label] * logp[n, label, ...] of every label, summed, as mean over the weights, or by label.
 * logp [batch, classes, ...], labels [batch, ...]; labels equal to `ignore_index` count nothing.
 */
function likelihood(site: CallSite, logp: Value, labels: Value, weights: Value | null | undefined): Value {
  const { builder, dtype, shape } = logp;
  const [batch, classes, ...rest] = shape;
  const fits = shape.length >= 2 && labels.shape.join() === [batch, ...rest].join();
  check(site, fits, () => `labels of [${labels.shape.join(", ")}] for [${shape.join(", ")}]`);
  const ignored = site.attributes.ignore_index
    ? equal(labels, builder.literal(intOf(site, "ignore_index", 0), labels.dtype))
    : null;
  const safe = ignored ? where(ignored, 0, labels) : labels;

  const flat = reshape(logp, [batch, classes, -1]);
  const places = reshape(safe, [batch, 1, sizeOf(rest)]);
  const [read] = builder.apply("GatherElements", [flat, places], {
    attributes: { axis: { kind: "int", value: 1 } },
  });
  const picked = reshape(read, labels.shape);
  const all = weights ? gather(weights, safe) : expand(builder.literal(1, dtype), labels.shape);
  const counted = ignored ? where(ignored, 0, all) : all;

  const losses = neg(mul(picked, counted));
  const axes = labels.shape.map((_, i) => i);
  switch (stringOf(site, "reduction", "mean")) {
    case "none":
      return losses;
    case "sum":
      return reduceSum(losses, axes);
    default:
      return div(reduceSum(losses, axes), reduceSum(cast(counted, dtype), axes));
  }
}

export const losses: RuleFamily = {
  NegativeLogLikelihoodLoss: {
    expand: (site, [logp, labels, weights]) => [likelihood(site, logp!, labels!, weights)],
  },
  SoftmaxCrossEntropyLoss: {
    expand: (site, [scores, labels, weights]) => {
      const logp = logSoftmax(scores!, 1);
      return [likelihood(site, logp, labels!, weights), logp].slice(0, site.outputCount);
    },
  },
};
