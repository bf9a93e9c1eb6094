import { expect, test } from "vitest";
import { float, int } from "../attributes.ts";
import { trace } from "../builder.ts";
import { tanh } from "../ops/elementwise.ts";
import { matmul } from "../ops/linear.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const products: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [2, 3],
    [3, 4],
  ],
  [[3], [3]],
  [[3], [3, 2]],
  [[2, 3], [3]],
  [
    [2, 3, 4],
    [4, 2],
  ],
  [
    [3, 4],
    [2, 4, 2],
  ],
  [
    [2, 1, 3, 4],
    [3, 4, 2],
  ],
  [[4], [2, 4, 3]],
];

function gemm(a: Value, b: Value, c: Value | null, attributes: Record<string, number> = {}): Value {
  const { transA = 0, transB = 0, alpha = 1, beta = 1 } = attributes;
  return a.builder.apply("Gemm", [a, b, c], {
    attributes: { transA: int(transA), transB: int(transB), alpha: float(alpha), beta: float(beta) },
  })[0];
}

gradientSuite([
  ...products.map(([a, b]) => ({
    name: `matmul of [${a.join(", ")}] and [${b.join(", ")}]`,
    inputs: { a, b },
    network: ({ a, b }: Record<string, Value>) => tanh(matmul(a, b)),
  })),
  { name: "Gemm", inputs: { a: [2, 3], b: [3, 4] }, network: ({ a, b }) => gemm(a, b, null) },
  {
    name: "Gemm with both sides turned, factors and a bias",
    inputs: { a: [3, 2], b: [4, 3], c: [4] },
    network: ({ a, b, c }) => gemm(a, b, c, { transA: 1, transB: 1, alpha: 0.5, beta: 2 }),
  },
  {
    name: "Gemm with the right side turned and a bias by row",
    inputs: { a: [2, 3], b: [4, 3], c: [2, 1] },
    network: ({ a, b, c }) => tanh(gemm(a, b, c, { transB: 1 })),
  },
]);

test("inner dimensions that differ are an error that names the node", () => {
  const product = () =>
    trace({ a: { shape: [2, 3] }, b: { shape: [4, 2] } }, ({ a, b }, builder) =>
      builder.scope("mid", () => ({ y: matmul(a, b) })),
    );
  expect(product).toThrow('the inner dimensions of [2, 3] and [4, 2] differ at node "mid/MatMul"');
});
