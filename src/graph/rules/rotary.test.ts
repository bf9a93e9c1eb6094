import { expect, test } from "vitest";
import { int } from "../attributes.ts";
import { trace } from "../builder.ts";
import type { Attribute } from "../graph.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const rotate = (inputs: readonly Value[], attributes: Record<string, Attribute> = {}): Value =>
  inputs[0].builder.apply("RotaryEmbedding", inputs, { attributes })[0];

const positions = { shape: [2, 3], kind: "integer" as const, data: [0, 1, 2, 2, 3, 0] };

gradientSuite([
  {
    name: "halves turned",
    inputs: { x: [2, 2, 3, 4], cos: [2, 3, 2], sin: [2, 3, 2] },
    network: ({ x, cos, sin }) => rotate([x, cos, sin]),
    opset: 23,
  },
  {
    name: "neighbours turned, by position",
    inputs: { x: [2, 2, 3, 4], cos: [5, 2], sin: [5, 2], positions },
    network: ({ x, cos, sin, positions }) => rotate([x, cos, sin, positions], { interleaved: int(1) }),
    opset: 23,
  },
  {
    name: "a part of each head turned, heads in one axis",
    inputs: { x: [2, 3, 12], cos: [4, 2], sin: [4, 2], positions },
    network: ({ x, cos, sin, positions }) =>
      rotate([x, cos, sin, positions], { num_heads: int(2), rotary_embedding_dim: int(4) }),
    opset: 23,
  },
]);

test("angles that do not fit are an error that names the node", () => {
  const wrong = () =>
    trace({ x: { shape: [1, 1, 2, 6] }, cos: { shape: [1, 2, 2] } }, ({ x, cos }) => ({
      y: rotate([x, cos, cos]),
    }));
  expect(wrong).toThrow('2 angles for 6 elements at node "RotaryEmbedding"');
});
