import { expect, test } from "vitest";
import { int } from "../attributes.ts";
import { trace } from "../builder.ts";
import { tanh } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const cumulative = (x: Value, axis: number, exclusive: number, reverse: number): Value =>
  x.builder.apply("CumSum", [x, x.builder.literal(axis, "int64")], {
    attributes: { exclusive: int(exclusive), reverse: int(reverse) },
  })[0];

gradientSuite(
  [0, 1].flatMap((exclusive) =>
    [0, 1].flatMap((reverse) =>
      [1, -1].map((axis) => ({
        name: `sums so far, axis ${axis}${exclusive ? ", without the own" : ""}${reverse ? ", backwards" : ""}`,
        inputs: { x: [2, 3, 2] },
        network: ({ x }: Record<string, Value>) => tanh(cumulative(tanh(x), axis, exclusive, reverse)),
      })),
    ),
  ),
);

test("an axis beyond the rank is an error that names the node", () => {
  const wrong = () => trace({ x: { shape: [2, 3] } }, ({ x }) => ({ y: cumulative(x, 2, 0, 0) }));
  expect(wrong).toThrow('a tensor of rank 2 has no axis 2 at node "CumSum"');
});
