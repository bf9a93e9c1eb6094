import { floatOf, intOf } from "../../attributes.ts";
import type { Attribute } from "../../graph.ts";
import { add, mul } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linear.ts";
import { swapLast, transpose } from "../../ops/reshape.ts";
import type { CallSite, Rule, RuleFamily } from "../../rule.ts";
import type { Value } from "../../value.ts";
import { activate, activationNumbers, activationParams } from "./activations.ts";
import { channelsBehind, channelsFirst } from "./channelsLast.ts";

/** The attributes that are none of the fused operator's own. */
export function without(
  attributes: Readonly<Record<string, Attribute>>,
  own: readonly string[],
): Record<string, Attribute> {
  return Object.fromEntries(Object.entries(attributes).filter(([key]) => !own.includes(key)));
}

/** An operand of FusedMatMul as it is multiplied: first its batch axes turned, then its last two exchanged. */
function turned(site: CallSite, x: Value, side: "A" | "B"): Value {
  const rank = x.shape.length;
  let out = x;
  if (intOf(site, `transBatch${side}`, 0) === 1 && rank > 2) {
    const batch = Array.from({ length: rank - 2 }, (_, i) => i + 1);
    out = transpose(out, [...batch, 0, rank - 1]);
  }
  return intOf(site, `trans${side}`, 0) === 1 && rank > 1 ? swapLast(out) : out;
}

/** alpha * a b. */
function fusedMatmul(site: CallSite, a: Value, b: Value): Value {
  const product = matmul(turned(site, a, "A"), turned(site, b, "B"));
  const alpha = floatOf(site, "alpha", 1);
  return alpha === 1 ? product : mul(product, alpha);
}

const matmulRule: Rule = { expand: (site, [a, b]) => [fusedMatmul(site, a!, b!)] };

/** activation(conv(x, w) + b + z). */
function fusedConv(site: CallSite, [x, weight, bias, added]: readonly (Value | null)[]): Value {
  const inputs = bias ? [x, weight, bias] : [x, weight];
  const attributes = without(site.attributes, ["activation", "activation_params"]);
  const [y] = x!.builder.apply("Conv", inputs, { attributes });
  return activate(site, added ? add(y, added) : y, activationParams(site));
}

const gemmOwn = ["activation", "activation_alpha", "activation_beta", "activation_gamma"];

export const fusedProducts: RuleFamily = {
  "com.microsoft::FusedMatMul": matmulRule,
  "com.microsoft::TransposeMatMul": matmulRule,
  "com.microsoft::FusedMatMulActivation": {
    expand: (site, [a, b]) => [activate(site, fusedMatmul(site, a!, b!), activationNumbers(site))],
  },
  "com.microsoft::FusedGemm": {
    expand: (site, inputs) => {
      const attributes = without(site.attributes, gemmOwn);
      const [y] = inputs[0]!.builder.apply("Gemm", inputs, { attributes });
      return [activate(site, y, activationNumbers(site))];
    },
  },
  "com.microsoft::FusedConv": { expand: (site, inputs) => [fusedConv(site, inputs)] },
  "com.microsoft::NhwcConv": { expand: (site, inputs) => [channelsLast(site, turnedWeights(site, inputs))] },
  "com.microsoft::NhwcFusedConv": { expand: (site, inputs) => [channelsLast(site, inputs)] },
};

/**
 * NhwcConv's weights have their channels last too, [out, ...kernel, in], as onnxruntime.transformers writes it and its GPU
 * kernels read it; its specification says [out, in, ...kernel], which is taken where only that fits.
 */
function turnedWeights(
  site: CallSite,
  [x, weight, ...rest]: readonly (Value | null)[],
): readonly (Value | null)[] {
  const channels = x!.shape[x!.shape.length - 1] / intOf(site, "group", 1);
  const last = weight!.shape[weight!.shape.length - 1] === channels;
  return [x, last ? channelsFirst(weight!) : weight, ...rest];
}

/** fusedConv of images (and a sum) whose channels are the last axis; weights as for Conv. */
function channelsLast(site: CallSite, [x, weight, bias, added]: readonly (Value | null)[]): Value {
  const inputs = [channelsFirst(x!), weight, bias ?? null, added ? channelsFirst(added) : null];
  return channelsBehind(fusedConv(site, inputs));
}
