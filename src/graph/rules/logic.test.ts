import { describe, expect, test } from "vitest";
import { nodeRuntime } from "../../runtime/node.ts";
import { int, string } from "../attributes.ts";
import { trace } from "../builder.ts";
import { constantOf } from "../constant.ts";
import type { Attribute, DataType, Graph } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { cast, exp, less, mul, where } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

interface Operation {
  readonly op: string;
  readonly dtype: DataType;
  readonly attributes?: Record<string, Attribute>;
  readonly a: readonly number[];
  readonly b?: readonly number[];
}
const numbers = { a: [1, 2, 3, -4], b: [2, 2, -1, -4] };
const truths = { a: [0, 0, 1, 1], b: [0, 1, 0, 1] };
const bits = { a: [12, 10, 255, 0], b: [10, 3, 1, 7] };
const odd = { a: [NaN, Infinity, -Infinity, 1] };
const operations: readonly Operation[] = [
  ...["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"].flatMap((op) => [
    { op, dtype: "float32" as const, ...numbers },
    { op, dtype: "int64" as const, ...numbers },
  ]),
  ...["And", "Or", "Xor"].map((op) => ({ op, dtype: "bool" as const, ...truths })),
  { op: "Not", dtype: "bool", a: truths.a },
  { op: "IsNaN", dtype: "float32", ...odd },
  { op: "IsInf", dtype: "float32", ...odd },
  { op: "IsInf", dtype: "float32", attributes: { detect_negative: int(0) }, ...odd },
  { op: "IsInf", dtype: "float32", attributes: { detect_positive: int(0) }, ...odd },
  ...["BitwiseAnd", "BitwiseOr", "BitwiseXor"].map((op) => ({ op, dtype: "uint8" as const, ...bits })),
  { op: "BitwiseAnd", dtype: "int32", ...numbers },
  { op: "BitwiseNot", dtype: "uint8", a: bits.a },
  { op: "BitwiseNot", dtype: "int64", a: numbers.a },
  { op: "BitShift", dtype: "uint32", attributes: { direction: string("LEFT") }, ...bits },
  { op: "BitShift", dtype: "uint64", attributes: { direction: string("RIGHT") }, ...bits },
  { op: "Div", dtype: "int64", ...numbers },
  { op: "Mod", dtype: "int64", ...numbers },
  { op: "Mod", dtype: "int64", attributes: { fmod: int(1) }, a: [7, -7, 7, -7], b: [3, 3, -3, -3] },
  { op: "Mod", dtype: "int64", a: [7, -7, 7, -7], b: [3, 3, -3, -3] },
  { op: "Mod", dtype: "float32", attributes: { fmod: int(1) }, a: [5.5, -4, 2, 7], b: [2, 1.5, 3, -4] },
  { op: "Round", dtype: "float32", a: [0.5, 1.5, -2.5, -0.7] },
  { op: "Floor", dtype: "float32", a: [0.5, -1.5, -2, 3] },
  { op: "Ceil", dtype: "float32", a: [0.5, -1.5, -2, 3] },
  { op: "Sign", dtype: "float32", a: [0.5, -1.5, 0, 3] },
];

describe.each(operations)("$op of $dtype", ({ op, dtype, attributes, a, b }) => {
  test("is what ONNX Runtime makes of it, folded and unfolded", async () => {
    const inputs = { a: { dtype, shape: [4] }, ...(b && { b: { dtype, shape: [4] } }) };
    const network = (values: readonly Value[]) => values[0].builder.apply(op, values, { attributes })[0];
    const graph: Graph = trace(inputs, (values: Record<string, Value>) => ({
      y: cast(network(Object.values(values)), "float32"),
    }));
    const folded: Graph = trace({ x: { shape: [1] } }, (_, builder) => ({
      y: cast(network([a, b].flatMap((list) => (list ? [builder.literal(list, dtype)] : []))), "float32"),
    }));
    const program = await nodeRuntime({ threads: 1 }).compile(graph);
    const feed = (data: readonly number[]) => ({
      data: constantOf(dtype, [4], data).data as Float32Array,
      shape: [4],
    });
    const { y } = await program.run({ a: feed(a), ...(b && { b: feed(b) }) });
    await program.dispose();
    const host = interpret(graph, { a: { data: a, shape: [4] }, ...(b && { b: { data: b, shape: [4] } }) });
    expect(Array.from(host.y.data as Float64Array)).toEqual(Array.from(y.data as Float32Array));
    expect(folded.nodes.map((node) => node.op)).toEqual(["Identity"]);
    expect(Array.from([...folded.initializers.values()][0].data as Float32Array)).toEqual(
      Array.from(y.data as Float32Array),
    );
  });
});

gradientSuite([
  {
    name: "where, broadcast on all sides",
    inputs: { c: { shape: [6], data: [-1.7, -0.4, -0.01, 0.02, 0.6, 1.3] }, a: [2, 1], b: [3, 1, 6] },
    network: ({ c, a, b }) => where(less(c, 0), mul(a, a), mul(a, exp(b))),
  },
]);

test("a condition that is no truth value is an error that names the node", () => {
  const wrong = () => trace({ x: { shape: [2] } }, ({ x }) => ({ y: where(x, 1, x) }));
  expect(wrong).toThrow('a condition of type float32, wanted bool, at node "Where"');
});
