import { expect, test } from "vitest";
import { trace } from "../builder.ts";
import { gradients } from "../gradients.ts";
import { interpret } from "../interpret.ts";
import { reduceLogSumExp, reduceMax, reduceMean, reduceSum, reduceSumSquare, sumTo } from "../ops/reduce.ts";
import { mul } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const reductions = { reduceSum, reduceMean, reduceSumSquare, reduceLogSumExp, reduceMax };
const ways: readonly (readonly [readonly number[], boolean])[] = [
  [[0], false],
  [[1, -1], true],
  [[0, 1, 2], false],
  [[0, 2], false],
];

gradientSuite([
  ...Object.entries(reductions).flatMap(([name, f]) =>
    ways.map(([axes, keep]) => ({
      name: `${name} over [${axes.join(", ")}]${keep ? ", axes kept" : ""}`,
      inputs: { x: [2, 3, 4] },
      network: ({ x }: Record<string, Value>) => f(x, axes, { keep }),
    })),
  ),
  {
    name: "a mean's gradient meets another one",
    inputs: { x: [3, 4] },
    network: ({ x }) => mul(mul(x, reduceMean(x, [1], { keep: true })), reduceSumSquare(x, [0])),
  },
  { name: "sumTo", inputs: { x: [2, 3, 4] }, network: ({ x }) => mul(sumTo(x, [3, 1]), x) },
]);

test("the gradient of a maximum is shared equally among ties", () => {
  const graph = trace({ x: { dtype: "float64", shape: [2, 3] } }, ({ x }) => ({
    slope: gradients(reduceSum(reduceMax(x, [1]), [0]), [x])[0],
  }));
  const { slope } = interpret(graph, { x: { data: [1, 5, 5, 4, 2, 3], shape: [2, 3] } });
  expect(slope.data).toBeAllClose([0, 0.5, 0.5, 1, 0, 0], {});
});
