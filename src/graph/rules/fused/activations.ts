import { float, floatOf, floatsOf, stringOf } from "../../attributes.ts";
import { add, erf, mul, relu, sigmoid, square, tanh } from "../../ops/elementwise.ts";
import { split } from "../../ops/reshape.ts";
import type { CallSite, RuleFamily } from "../../rule.ts";
import { check } from "../../shapes.ts";
import type { Value } from "../../value.ts";

/** x Phi(x), Phi the normal distribution. */
export const gelu = (x: Value): Value => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1));

/** Its approximation x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), with ONNX Runtime's digits. */
function fastGelu(x: Value): Value {
  const inner = mul(x, add(mul(square(x), 0.035677408136300125), 0.7978845608028654));
  return mul(mul(x, 0.5), add(tanh(inner), 1));
}

const plus = (x: Value, bias: Value | null | undefined): Value => (bias ? add(x, bias) : x);

/** The activation that FusedConv and FusedGemm name; `params` are its numbers, in ONNX Runtime's order. */
export function activate(
  site: CallSite,
  x: Value,
  params: readonly (number | undefined)[],
  name = stringOf(site, "activation", ""),
): Value {
  const [first, second] = params;
  const { builder } = x;
  switch (name) {
    case "":
      return x;
    case "Relu":
      return relu(x);
    case "Sigmoid":
      return sigmoid(x);
    case "Tanh":
      return tanh(x);
    case "LeakyRelu":
      return builder.apply("LeakyRelu", [x], { attributes: { alpha: float(first ?? 0.01) } })[0];
    case "HardSigmoid":
      return builder.apply("HardSigmoid", [x], {
        attributes: { alpha: float(first ?? 0.2), beta: float(second ?? 0.5) },
      })[0];
    case "Clip": {
      const bounds = [first, second].map((n) => (n === undefined ? null : builder.literal(n, x.dtype)));
      return builder.apply("Clip", [x, ...bounds])[0];
    }
    default:
      check(site, false, () => `${site.op} with the activation "${name}" is not known`);
      return x;
  }
}

/** The numbers of FusedConv's activation. */
export const activationParams = (site: CallSite): readonly number[] =>
  floatsOf(site, "activation_params", []);

/** The numbers of FusedGemm's activation. */
export const activationNumbers = (site: CallSite): (number | undefined)[] =>
  ["activation_alpha", "activation_beta"].map((key) =>
    site.attributes[key] ? floatOf(site, key, 0) : undefined,
  );

export const fusedActivations: RuleFamily = {
  "com.microsoft::Gelu": { expand: (_, [x]) => [gelu(x!)] },
  "com.microsoft::BiasGelu": { expand: (_, [x, bias]) => [gelu(add(x!, bias!))] },
  "com.microsoft::FastGelu": { expand: (_, [x, bias]) => [fastGelu(plus(x!, bias))] },
  // Half of the channels gates the other.
  "com.microsoft::BiasSplitGelu": {
    expand: (_, [x, bias]) => {
      const half = x!.shape[x!.shape.length - 1] / 2;
      const [values, gates] = split(add(x!, bias!), -1, [half, half]);
      return [mul(values, gelu(gates))];
    },
  },
  "com.microsoft::BiasAdd": { expand: (_, [x, bias, skip]) => [add(add(x!, bias!), skip!)] },
};
