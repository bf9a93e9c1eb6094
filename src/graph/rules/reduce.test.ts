import { expect, test } from "vitest";
import { int } from "../attributes.ts";
import { trace } from "../builder.ts";
import { gradients } from "../gradients.ts";
import { interpret } from "../interpret.ts";
import { reduceLogSumExp, reduceMax, reduceMean, reduceSum, reduceSumSquare, sumTo } from "../ops/reduce.ts";
import { mul } from "../ops/elementwise.ts";
import { slice } from "../ops/indexing.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

type Reduce = (x: Value, axes: readonly number[], options?: { keep?: boolean }) => Value;
const byName =
  (op: string): Reduce =>
  (x, axes, { keep = false } = {}) =>
    x.builder.apply(op, [x, x.builder.literal(axes, "int64")], {
      attributes: { keepdims: int(Number(keep)) },
    })[0];
const reductions: Record<string, Reduce> = {
  ...{ reduceSum, reduceMean, reduceSumSquare, reduceLogSumExp, reduceMax },
  ...Object.fromEntries(["ReduceMin", "ReduceL1", "ReduceL2", "ReduceProd"].map((op) => [op, byName(op)])),
  "ReduceLogSum of squares": (x, axes, options) => byName("ReduceLogSum")(mul(x, x), axes, options),
};
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
  {
    name: "no axes and no reduction where that is asked for",
    inputs: { x: [2, 3] },
    network: ({ x }) =>
      ["ReduceSum", "ReduceMean", "ReduceMax"]
        .map((op) => x.builder.apply(op, [x], { attributes: { noop_with_empty_axes: int(1) } })[0])
        .reduce(mul),
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

test("the length of the zero vector has gradient 0", () => {
  const graph = trace({ x: { dtype: "float64", shape: [2, 2] } }, ({ x }) => ({
    slope: gradients(reduceSum(byName("ReduceL2")(x, [1]), [0]), [x])[0],
  }));
  const { slope } = interpret(graph, { x: { data: [0, 0, 3, 4], shape: [2, 2] } });
  expect(slope.data).toBeAllClose([0, 0, 0.6, 0.8], { rel: 1e-12 });
});

test("an axis beyond the rank is an error that names the node", () => {
  const wrong = () => trace({ x: { shape: [2, 3] } }, ({ x }) => ({ y: byName("ReduceMin")(x, [2]) }));
  expect(wrong).toThrow('a tensor of rank 2 has no axis 2 at node "ReduceMin"');
});

test("the derivatives of a product are right where factors are 0", () => {
  const graph = trace({ x: { dtype: "float64", shape: [5] } }, ({ x }) => {
    const [slope] = gradients(byName("ReduceProd")(x, [0]), [x]);
    // d2/dx0 dxi is the product of the other three.
    const [row] = gradients(reduceSum(slice(slope, [{ axis: 0, start: 0, end: 1 }]), [0]), [x]);
    return { slope, row };
  });
  const { slope, row } = interpret(graph, { x: { data: [0, 2, 0, 3, 5], shape: [5] } });
  expect(slope.data).toBeAllClose([0, 0, 0, 0, 0], {});
  expect(row.data).toBeAllClose([0, 0, 30, 0, 0], {});
});
