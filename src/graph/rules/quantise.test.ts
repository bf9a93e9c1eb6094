import { expect, test } from "vitest";
import { int } from "../attributes.ts";
import { trace } from "../builder.ts";
import type { Attribute } from "../graph.ts";
import { mul } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const numbers = [-3, 5, 7, 0, 127, -128, 9, 2];

/** Constants of 8 bits times scales that are inputs: float32 only, as the operator is. */
const dequantised = (
  scale: Value,
  zero: readonly number[] | null,
  attributes: Record<string, Attribute> = {},
): Value => {
  const { builder } = scale;
  const x = builder.literal(numbers, "int8", [4, 2]);
  const inputs = zero ? [x, scale, builder.literal(zero, "int8", scale.shape)] : [x, scale];
  return builder.apply("DequantizeLinear", inputs, { attributes })[0];
};

gradientSuite([
  {
    name: "one scale for all",
    inputs: { s: [], w: [4, 2] },
    network: ({ s, w }) => mul(dequantised(mul(s, s), [3]), w),
  },
  {
    name: "a scale by column, without a zero point",
    inputs: { s: [2] },
    network: ({ s }) => dequantised(mul(s, s), null),
  },
  {
    name: "a scale and a zero point by row",
    inputs: { s: [4] },
    network: ({ s }) => dequantised(mul(s, s), [1, -2, 3, 0], { axis: int(0) }),
  },
  {
    name: "a scale by block",
    inputs: { s: [2, 2] },
    network: ({ s }) => dequantised(mul(s, s), [1, -2, 3, 0], { axis: int(0), block_size: int(2) }),
    opset: 21,
  },
]);

test("scales that do not fit are an error that names the node", () => {
  const wrong = () => trace({ s: { shape: [3] } }, ({ s }) => ({ y: dequantised(s, null) }));
  expect(wrong).toThrow('scales of [3] along axis 1 of [4, 2] at node "DequantizeLinear"');
});
