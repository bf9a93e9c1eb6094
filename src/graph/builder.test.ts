import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { Builder, trace } from "./builder.ts";
import type { Graph } from "./graph.ts";
import { interpret } from "./interpret.ts";
import { add, exp, greater, mul, square, sub } from "./ops/elementwise.ts";
import { matmul } from "./ops/linear.ts";
import { softmax } from "./ops/normalise.ts";
import { reduceSum } from "./ops/reduce.ts";
import { reshape, split } from "./ops/reshape.ts";

const ops = ({ nodes }: Graph): string[] => nodes.map(({ op }) => op);
const x3 = { x: { shape: [3] } };

describe("what is computed once", () => {
  test("equal calls on equal inputs are one node", () => {
    const graph = trace(x3, ({ x }) => ({ y: mul(exp(add(x, 1)), exp(add(x, 1))) }));
    expect(ops(graph)).toEqual(["Add", "Exp", "Mul", "Identity"]);
  });

  test("calls with other attributes, another order of inputs or another number of outputs are not equal", () => {
    const graph = trace({ x: { shape: [2, 2] }, y: { shape: [2, 2] } }, ({ x, y }) => ({
      soft: sub(softmax(x, 0), softmax(x, 1)),
      order: mul(sub(x, y), sub(y, x)),
    }));
    expect(ops(graph).filter((op) => op === "Softmax")).toHaveLength(2);
    expect(ops(graph).filter((op) => op === "Sub")).toHaveLength(3);
  });

  test("equal small constants are one, of other type or shape are not", () => {
    const builder = new Builder();
    expect(builder.literal([1, 2])).toBe(builder.literal([1, 2]));
    expect(builder.literal([1, 2])).not.toBe(builder.literal([1, 2], "float64"));
    expect(builder.literal([1, 2])).not.toBe(builder.literal([1, 2], "float32", [2, 1]));
    expect(builder.literal(0)).not.toBe(builder.literal(-0));
  });

  test("large constants are one when they are the same memory, type and shape", () => {
    const builder = new Builder();
    const memory = new Float32Array(20_000);
    const part = (shape: number[], start = 0) =>
      builder.constant({ dtype: "float32", shape, data: memory.subarray(start, start + 10_000) }, "weight");
    expect(part([100, 100])).toBe(part([100, 100]));
    expect(part([100, 100])).not.toBe(part([10_000]));
    expect(part([100, 100])).not.toBe(part([100, 100], 10_000));
  });

  test("what depends on constants alone is computed while tracing", () => {
    const graph = trace({ x: { shape: [2, 2] } }, ({ x }, builder) => {
      const table = matmul(
        builder.literal([1, 2, 3, 4], "float32", [2, 2]),
        builder.literal([1, 1], "float32", [2, 1]),
      );
      return { y: mul(x, add(square(table), 1)) };
    });
    expect(ops(graph)).toEqual(["Mul", "Identity"]);
    expect([...graph.initializers.values()].map(({ data }) => Array.from(data as Float32Array))).toEqual([
      [10, 50],
    ]);
  });

  test("constants of half precision are computed in it", () => {
    const builder = new Builder();
    const sum = add(builder.literal(1, "float16"), builder.literal(2 ** -10, "float16"));
    expect(sum.constant?.data).toEqual(Uint16Array.of(0x3c01));
    const lost = add(builder.literal(1, "bfloat16"), builder.literal(2 ** -10, "bfloat16"));
    expect(lost.constant?.data).toEqual(Uint16Array.of(0x3f80));
  });

  test("the largest integer, an exporter's word for the end, survives folding", () => {
    const builder = new Builder();
    const end = builder.constant({ dtype: "int64", shape: [1], data: BigInt64Array.of(2n ** 63n - 1n) });
    const moved = add(end, builder.literal([0], "int64"));
    expect(moved.constant?.data).toEqual(BigInt64Array.of(2n ** 63n - 1n));
  });
});

describe("what is kept", () => {
  test("nodes and inputs that no output needs are left out", () => {
    const builder = new Builder();
    const x = builder.input("x", "float32", [2]);
    const unused = builder.input("unused", "float32", [2]);
    exp(unused);
    const y = add(x, 1);
    expect(ops(builder.build({ y }))).toEqual(["Add", "Identity"]);
    expect(builder.build({ y }).inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(builder.build({ y }, { keepInputs: true }).inputs.map(({ name }) => name)).toEqual([
      "x",
      "unused",
    ]);
  });

  test("a call of which one output is read is kept whole", () => {
    const graph = trace({ x: { shape: [4] } }, ({ x }) => ({ y: split(x, 0, [1, 3])[1] }));
    expect(graph.nodes[0].outputs).toHaveLength(2);
  });
});

describe("names", () => {
  test("calls are named by their scopes, numbered when the name is taken", () => {
    const graph = trace(x3, ({ x }, builder) => ({
      y: builder.scope("mid", () => builder.scope("block", () => exp(exp(x)))),
    }));
    expect(graph.nodes.map(({ name }) => name)).toEqual(["mid/block/Exp", "mid/block/Exp_1", "output/y"]);
  });

  test("no two values or nodes of a graph have one name, whatever inputs, constants and outputs are called", async () => {
    const builder = new Builder();
    const a = builder.input("Exp:0", "float32", [3]);
    const b = builder.input("Add", "float32", [3]);
    const sum = add(a, b);
    const large = builder.constant({ dtype: "float32", shape: [3], data: Float32Array.of(1, 2, 3) }, "Add");
    const graph = builder.build({ "Add_1:0": mul(sum, large), "Add:0_1": sum, const: exp(sum) });
    const values = [
      ...graph.inputs.map(({ name }) => name),
      ...graph.initializers.keys(),
      ...graph.nodes.flatMap(({ outputs }) => outputs),
    ];
    expect(new Set(values).size).toBe(values.length);
    const names = graph.nodes.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);

    const feeds = {
      "Exp:0": { data: Float32Array.of(1, 1, 1), shape: [3] },
      Add: { data: Float32Array.of(0, 1, 2), shape: [3] },
    };
    const program = await nodeRuntime({ threads: 1 }).compile(graph);
    const got = await program.run(feeds);
    await program.dispose();
    expect(got["Add_1:0"].data).toBeAllClose([1, 4, 9], { abs: 1e-6 });
    expect(got["Add:0_1"].data).toBeAllClose([1, 2, 3], { abs: 1e-6 });
  });

  test("an input twice, and an output called as an input, are refused", () => {
    const builder = new Builder();
    const x = builder.input("x", "float32", [2]);
    expect(() => builder.input("x", "float32", [2])).toThrow('already has an input or a value called "x"');
    expect(() => builder.build({ x: exp(x) })).toThrow("call the output otherwise");
    expect(() => builder.build({ x })).toThrow(UsageError);
  });
});

describe("errors name the node", () => {
  test.each([
    [
      "shapes",
      'shapes [3] and [2] do not broadcast at node "down.0/Add"',
      (b: Builder) => add(b.findInput("x")!, b.literal([1, 2])),
    ],
    [
      "element types",
      'operands of types float32 and int64 at node "down.0/Add"',
      (b: Builder) => add(b.findInput("x")!, b.literal(1, "int64")),
    ],
    ["axes", "has no axis 3", (b: Builder) => reduceSum(b.findInput("x")!, [3])],
    [
      "operators",
      'no rule for operator "Bessel" (node "down.0/Bessel")',
      (b: Builder) => b.apply("Bessel", [b.findInput("x")!])[0],
    ],
  ])("wrong %s", (_, message, network) => {
    const wrong = () =>
      trace(x3, (_values, builder) => ({ y: builder.scope("down.0", () => network(builder)) }));
    expect(wrong).toThrow(UsageError);
    expect(wrong).toThrow(message);
  });

  test("sizes computed at run time ask for the graph's dimensions", () => {
    const wrong = () =>
      trace({ x: { shape: [4] }, size: { dtype: "int64", shape: [1] } }, ({ x, size }, builder) => ({
        y: builder.apply("Reshape", [x, size])[0],
      }));
    expect(wrong).toThrow(
      /Reshape has sizes computed at run time: bind the graph's dimensions first.*"Reshape"/,
    );
  });
});

test("the host reference asks for missing inputs, and for the shapes that were declared", () => {
  const graph = trace(x3, ({ x }) => ({ y: greater(reshape(x, [3, 1]), x) }));
  expect(() => interpret(graph, {})).toThrow('the graph\'s input "x" was not given');
  expect(() => interpret(graph, { x: { data: [1, 2], shape: [2] } })).toThrow(
    '"x" is of shape [3], got [2] with 2 values',
  );
  const { y } = interpret(graph, { x: { data: [1, 2, 3], shape: [3] } });
  expect(y).toEqual({ dtype: "bool", shape: [3, 3], data: Uint8Array.of(0, 0, 0, 1, 0, 0, 1, 1, 0) });
});
