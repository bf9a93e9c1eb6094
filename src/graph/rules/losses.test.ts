import { expect, test } from "vitest";
import { int, string } from "../attributes.ts";
import { trace } from "../builder.ts";
import type { Attribute } from "../graph.ts";
import { type GradientCase, gradientSuite } from "./gradients.cases.ts";

const labels = (shape: readonly number[], data: readonly number[]) => ({
  shape,
  data,
  kind: "integer" as const,
});
const flat = { x: [3, 4], labels: labels([3], [2, 0, 3]) };
const images = { x: [2, 3, 2, 2], labels: labels([2, 2, 2], [2, 0, 1, 2, 0, 0, 1, 2]) };

function loss(
  op: string,
  inputs: GradientCase["inputs"],
  attributes: Record<string, Attribute>,
): GradientCase {
  const how = Object.values(attributes).map((attribute) =>
    attribute.kind === "string" ? attribute.value : "ignoring",
  );
  return {
    name: [op, ...how, ...Object.keys(inputs)].join(" "),
    inputs,
    network: ({ x, labels, weights }) =>
      x.builder.apply(op, weights ? [x, labels, weights] : [x, labels], { attributes })[0],
  };
}

gradientSuite(
  ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"].flatMap((op) => [
    loss(op, flat, { reduction: string("none") }),
    loss(op, flat, { reduction: string("sum") }),
    loss(op, images, {}),
    loss(op, { ...images, weights: { shape: [3], from: 0.5, to: 2 } }, { ignore_index: int(1) }),
  ]),
);

test("labels that do not fit are an error that names the node", () => {
  const wrong = () =>
    trace({ x: { shape: [3, 4] }, labels: { dtype: "int64", shape: [4] } }, ({ x, labels }, builder) => ({
      y: builder.apply("SoftmaxCrossEntropyLoss", [x, labels], { name: "loss" })[0],
    }));
  expect(wrong).toThrow('labels of [4] for [3, 4] at node "loss"');
});
