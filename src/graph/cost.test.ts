import { expect, test } from "vitest";
import { int, ints } from "./attributes.ts";
import type { Builder } from "./builder.ts";
import { trace } from "./builder.ts";
import { constantOf } from "./constant.ts";
import { type Cost, costOf } from "./cost.ts";
import { bitsOf } from "./dataTypes.ts";
import type { Attribute, Constant, Graph } from "./graph.ts";
import {
  add,
  averagePool,
  conv2d,
  matmul,
  reduceSum,
  reshape,
  silu,
  softmax,
  transpose,
} from "./ops/index.ts";
import type { Value } from "./value.ts";

type Shapes = Readonly<Record<string, readonly number[]>>;

/** The cost of what `network` makes of inputs a, b, c of these shapes. */
function cost(shapes: Shapes, network: (inputs: Record<string, Value>, builder: Builder) => Value): Cost {
  const inputs = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { shape }]));
  return costOf(trace(inputs, (values, builder) => ({ y: network(values, builder) })));
}

const applied =
  (op: string, attributes: Record<string, Attribute> = {}) =>
  (inputs: Record<string, Value>, builder: Builder): Value =>
    builder.apply(op, Object.values(inputs), { attributes })[0];

test("a product of matrices takes 2 m k n operations for each of its batch", () => {
  expect(cost({ a: [3, 1, 4, 5], b: [2, 5, 7] }, ({ a, b }) => matmul(a, b)).flops).toBe(
    3 * 2 * 2 * 4 * 5 * 7,
  );
  expect(cost({ a: [5], b: [5, 7] }, ({ a, b }) => matmul(a, b)).flops).toBe(2 * 5 * 7);
  const gemm = applied("Gemm", { transA: int(1), transB: int(1) });
  expect(cost({ a: [5, 4], b: [7, 5] }, gemm).flops).toBe(2 * 4 * 5 * 7);
});

test("a convolution multiplies every weight with every position it is put at", () => {
  const strided = cost({ a: [2, 3, 9, 9], b: [8, 3, 3, 3] }, ({ a, b }) =>
    conv2d(a, b, { stride: 2, padding: 1 }),
  );
  expect(strided.flops).toBe(2 * (2 * 5 * 5) * (8 * 3 * 3 * 3));
  const transposed = applied("ConvTranspose", { kernel_shape: ints([3, 3]), strides: ints([2, 2]) });
  expect(cost({ a: [2, 3, 5, 5], b: [3, 8, 3, 3] }, transposed).flops).toBe(
    2 * (2 * 5 * 5) * (3 * 8 * 3 * 3),
  );
});

test("elements moved cost nothing, elements computed and elements summed one operation each", () => {
  const { flops, byOperator } = cost({ a: [4, 6] }, ({ a }) =>
    reduceSum(add(silu(transpose(a, [1, 0])), reshape(a, [6, 4])), [0]),
  );
  expect(flops).toBe(24 + 24 + 24);
  expect(byOperator.get("com.microsoft::QuickGelu")).toEqual({ count: 1, flops: 24, activationBytes: 96 });
  expect(byOperator.get("Reshape")).toEqual({ count: 1, flops: 0, activationBytes: 0 });
  expect(byOperator.get("Transpose")).toEqual({ count: 1, flops: 0, activationBytes: 96 });
  expect(cost({ a: [1, 2, 6, 6] }, ({ a }) => averagePool(a, 3)).flops).toBe(2 * 36);
});

test("attention from plain operators: two products, a softmax", () => {
  const [n, s, d, e] = [5, 7, 4, 3];
  const plain = cost({ a: [2, n, d], b: [2, d, s], c: [2, s, e] }, ({ a, b, c }) =>
    matmul(softmax(matmul(a, b)), c),
  );
  expect(plain.flops).toBe(2 * n * s * (2 * d + 2 * e + 1));
  expect(plain.nodes.map(({ op }) => op)).toEqual(["MatMul", "Softmax", "MatMul"]);
  expect(plain.activationBytes).toBe(4 * 2 * (2 * n * s + n * e));
});

test("parameters are what is no index, of any type, and bytes are of everything", () => {
  const half: Constant = { dtype: "int4", shape: [3, 3], data: new Uint8Array(5) };
  const unread: Constant = {
    dtype: "float32",
    shape: [100, 100],
    get data(): Float32Array {
      throw new Error("a weight was read");
    },
  };
  const graph: Graph = {
    name: "weights",
    opset: 18,
    inputs: [{ name: "x", dtype: "float32", shape: [1, 100] }],
    outputs: [{ name: "y", dtype: "float32", shape: [100] }],
    nodes: [
      { op: "MatMul", domain: "", name: "product", inputs: ["x", "w"], outputs: ["h"], attributes: {} },
      { op: "Reshape", domain: "", name: "flat", inputs: ["h", "shape"], outputs: ["y"], attributes: {} },
    ],
    initializers: new Map([
      ["w", unread],
      ["half", half],
      ["shape", constantOf("int64", [1], [100])],
    ]),
    metadata: {},
  };
  const { parameters, weightBytes, flops } = costOf(graph);
  expect({ parameters, weightBytes, flops }).toEqual({
    parameters: 10_000 + 9,
    weightBytes: 40_000 + 5 + 8,
    flops: 2 * 10_000,
  });
});

test("equal nodes and dead ones are not counted twice or at all", () => {
  const twice = cost({ a: [4, 4] }, ({ a }) => {
    silu(add(a, 1));
    return add(matmul(a, a), matmul(a, a));
  });
  expect(twice.flops).toBe(2 * 64 + 16);
});

test("a dimension that is not bound is refused by its name", () => {
  const graph = trace({ x: { shape: [2, 2] } }, ({ x }) => ({ y: silu(x) }));
  const open: Graph = { ...graph, inputs: [{ ...graph.inputs[0], shape: ["batch", 2] }] };
  expect(() => costOf(open)).toThrow(/dimension "batch" of input "x" is not known: bind it first/);
});

test("element types have the bits in their names", () => {
  const types = [
    "float32",
    "bfloat16",
    "float8e4m3fnuz",
    "float4e2m1",
    "uint2",
    "bool",
    "complex128",
  ] as const;
  expect(types.map(bitsOf)).toEqual([32, 16, 8, 4, 2, 8, 128]);
});
