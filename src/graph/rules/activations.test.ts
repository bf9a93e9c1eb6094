import { expect, test } from "vitest";
import { float, string } from "../attributes.ts";
import { trace } from "../builder.ts";
import type { Attribute } from "../graph.ts";
import { type GradientCase, gradientSuite } from "./gradients.cases.ts";

/** On both sides of every kink, and never closer to one than a central difference reaches. */
const data = [-4.1, -2.2, -1.7, -0.4, -0.01, 0.02, 0.3, 0.6, 1.3, 3.4];

function activation(op: string, attributes: Record<string, Attribute> = {}, opset = 18): GradientCase {
  const given = Object.keys(attributes);
  return {
    name: [op, ...given].join(" with "),
    inputs: { x: { shape: [data.length], data } },
    network: ({ x }) => x.builder.apply(op, [x], { attributes })[0],
    opset,
  };
}

gradientSuite([
  activation("Sigmoid"),
  activation("Softplus"),
  activation("Softsign"),
  activation("Relu"),
  activation("LeakyRelu"),
  activation("LeakyRelu", { alpha: float(0.25) }),
  activation("Elu"),
  activation("Elu", { alpha: float(0.5) }),
  activation("Selu"),
  activation("Selu", { alpha: float(1.5), gamma: float(0.75) }),
  activation("Celu", { alpha: float(0.5) }),
  activation("ThresholdedRelu", { alpha: float(0.5) }),
  activation("Shrink", { lambd: float(0.25), bias: float(0.125) }),
  activation("HardSigmoid"),
  activation("HardSigmoid", { alpha: float(0.125), beta: float(0.25) }),
  activation("HardSwish"),
  activation("Mish"),
  activation("Gelu", {}, 20),
  activation("Gelu", { approximate: string("tanh") }, 20),
  activation("Swish", {}, 24),
  activation("Swish", { alpha: float(1.5) }, 24),
  {
    name: "PRelu with a slope by channel",
    inputs: { x: { shape: [2, 2, 2], data: data.slice(0, 8) }, slope: [2, 1] },
    network: ({ x, slope }) => x.builder.apply("PRelu", [x, slope])[0],
  },
]);

test("a slope that does not fit is an error that names the node", () => {
  const wrong = () =>
    trace({ x: { shape: [2, 3] }, slope: { shape: [4, 1, 3] } }, ({ x, slope }, builder) => ({
      y: builder.apply("PRelu", [x, slope], { name: "act" })[0],
    }));
  expect(wrong).toThrow('a slope of [4, 1, 3] does not broadcast to [2, 3] at node "act"');
});
